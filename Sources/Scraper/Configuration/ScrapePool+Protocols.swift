public import Exposition

extension ScrapePool {
    /// A protocol that a target may be asked for.
    public enum ScrapeProtocol: String, Equatable, Sendable, CaseIterable {
        case protobuf = "PrometheusProto"
        case openMetrics1 = "OpenMetricsText1.0.0"
        case openMetrics0 = "OpenMetricsText0.0.1"
        case text1 = "PrometheusText1.0.0"
        case text0 = "PrometheusText0.0.4"

        /// What is asked for unless the configuration says something else, best first.
        public static let standard: [ScrapeProtocol] = [.openMetrics1, .openMetrics0, .text1, .text0]
        /// The same for those who want what protobuf alone can say.
        public static let protobufFirst: [ScrapeProtocol] = [.protobuf] + standard

        /// The format of the answer.
        public var format: ExpositionFormat {
            switch self {
            case .protobuf: .protobuf
            case .openMetrics1, .openMetrics0: .openMetrics
            case .text1, .text0: .text
            }
        }

        /// The media range in `Accept`.
        var mediaRange: String {
            switch self {
            case .protobuf:
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
            case .openMetrics1: "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8"
            case .openMetrics0: "application/openmetrics-text;version=0.0.1"
            case .text1: "text/plain;version=1.0.0;escaping=allow-utf-8"
            case .text0: "text/plain;version=0.0.4"
            }
        }
    }

    /// What becomes of histograms. A value.
    public struct HistogramSettings: Equatable, Sendable {
        /// `scrape_native_histograms`: whether protobuf is asked for and native histograms are taken.
        public var scrapesNative = false
        /// `always_scrape_classic_histograms`: whether classic histograms are kept beside what replaces them.
        public var alwaysScrapesClassic = false
        /// `convert_classic_histograms_to_nhcb`: whether classic histograms become native ones with custom bounds.
        public var convertsClassic = false
        /// `native_histogram_bucket_limit`: most buckets of a histogram, lowering its resolution; 0 means no limit.
        public var bucketLimit = 0
        /// `native_histogram_min_bucket_factor`: neighbouring bounds are at least this factor apart; 0 means no limit.
        public var minimumBucketFactor = 0.0

        /// Classic histograms as they come.
        public init() {}
    }

    /// What targets are asked for, best first.
    ///
    /// - Parameter protobufFirst: Whether something other than native histograms needs protobuf.
    public func askedProtocols(protobufFirst: Bool) -> [ScrapeProtocol] {
        if let protocols { return protocols }
        return histograms.scrapesNative || protobufFirst ? ScrapeProtocol.protobufFirst : ScrapeProtocol.standard
    }

    /// The `Accept` header: what is asked for with falling weights, then anything.
    func acceptHeader(protobufFirst: Bool) -> String {
        let protocols = askedProtocols(protobufFirst: protobufFirst)
        let heaviest = ScrapeProtocol.allCases.count + 1
        var ranges = protocols.enumerated().map { "\($1.mediaRange);q=0.\(heaviest - $0)" }
        ranges.append("*/*;q=0.\(heaviest - protocols.count)")
        return ranges.joined(separator: ",")
    }
}
