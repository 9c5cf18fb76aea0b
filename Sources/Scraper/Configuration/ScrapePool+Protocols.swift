public import Exposition
internal import MetricModel

extension ScrapePool {
    /// An exposition format that Tribune can request from a target.
    public enum ScrapeProtocol: String, Equatable, Sendable, CaseIterable {
        case protobuf = "PrometheusProto"
        case openMetrics1 = "OpenMetricsText1.0.0"
        case openMetrics0 = "OpenMetricsText0.0.1"
        case text1 = "PrometheusText1.0.0"
        case text0 = "PrometheusText0.0.4"

        /// The formats requested by default, best first.
        public static let standard: [ScrapeProtocol] = [.openMetrics1, .openMetrics0, .text1, .text0]
        /// The default formats when something needs protobuf.
        public static let protobufFirst: [ScrapeProtocol] = [.protobuf] + standard

        /// The format of the response.
        public var format: ExpositionFormat {
            switch self {
            case .protobuf: .protobuf
            case .openMetrics1, .openMetrics0: .openMetrics
            case .text1, .text0: .text
            }
        }

        /// The media range in `Accept`. Versions from 1.0.0 on support escaping.
        func mediaRange(_ escaping: NameScheme.Escaping) -> String {
            switch self {
            case .protobuf:
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
            case .openMetrics1: "application/openmetrics-text;version=1.0.0;escaping=\(escaping.rawValue)"
            case .openMetrics0: "application/openmetrics-text;version=0.0.1"
            case .text1: "text/plain;version=1.0.0;escaping=\(escaping.rawValue)"
            case .text0: "text/plain;version=0.0.4"
            }
        }
    }

    /// How histograms are scraped. A value.
    public struct HistogramSettings: Equatable, Sendable {
        /// `scrape_native_histograms`: whether protobuf is requested and native histograms are stored.
        public var scrapesNative = false
        /// `always_scrape_classic_histograms`: whether classic histograms are stored in addition to native ones.
        public var alwaysScrapesClassic = false
        /// `convert_classic_histograms_to_nhcb`: whether classic histograms become native ones with custom buckets.
        public var convertsClassic = false
        /// `native_histogram_bucket_limit`: the bucket limit of a histogram; its resolution is reduced to stay below. 0
        /// is no limit.
        public var bucketLimit = 0
        /// `native_histogram_min_bucket_factor`: the minimum ratio of adjacent bucket bounds; 0 for no minimum.
        public var minimumBucketFactor = 0.0

        /// Classic histograms are stored unchanged.
        public init() {}

        /// These settings with those of a target, which relabelling may set by labels.
        func overridden(by labels: Labels) throws(ScrapeFailure) -> HistogramSettings {
            func flag(_ name: String, _ setting: Bool) throws(ScrapeFailure) -> Bool {
                guard let word = labels[name] else { return setting }
                guard let value = Bool(word) else {
                    throw ScrapeFailure("\(name) is \"\(word)\", expected true or false")
                }
                return value
            }
            var settings = self
            settings.scrapesNative = try flag("__scrape_native_histograms__", scrapesNative)
            settings.alwaysScrapesClassic = try flag("__always_scrape_classic_histograms__", alwaysScrapesClassic)
            settings.convertsClassic = try flag("__convert_classic_histograms_to_nhcb__", convertsClassic)
            return settings
        }
    }

    /// The formats requested from targets, best first.
    ///
    /// - Parameter protobufFirst: whether native histograms or something else need protobuf.
    func askedProtocols(protobufFirst: Bool) -> [ScrapeProtocol] {
        if let protocols { return protocols }
        return protobufFirst ? ScrapeProtocol.protobufFirst : ScrapeProtocol.standard
    }

    /// The `Accept` header: the requested formats with decreasing weights, then any format.
    ///
    /// - Parameter protobufFirst: whether native histograms or something else need protobuf.
    func acceptHeader(protobufFirst: Bool) -> String {
        let protocols = askedProtocols(protobufFirst: protobufFirst)
        let heaviest = ScrapeProtocol.allCases.count + 1
        var ranges = protocols.enumerated().map { "\($1.mediaRange(names.escaping));q=0.\(heaviest - $0)" }
        ranges.append("*/*;q=0.\(heaviest - protocols.count)")
        return ranges.joined(separator: ",")
    }
}
