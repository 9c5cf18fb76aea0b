/// A format in which targets expose their metrics.
public enum ExpositionFormat: UInt8, Equatable, Sendable {
    /// Prometheus's text format 0.0.4.
    case text
    /// OpenMetrics 1.0 (and 0.0.1).
    case openMetrics
    /// Delimited `io.prometheus.client.MetricFamily` messages, which alone carry native histograms.
    case protobuf
}

/// The optional parts of a body to read. A value.
public struct ExpositionOptions: Equatable, Sendable {
    /// Whether native histograms are taken; else the classic buckets beside them are.
    public var nativeHistograms = false
    /// Whether the classic buckets are taken of histograms that are native too.
    public var classicHistograms = false
    /// Whether it matters since when a counter counts.
    public var startTimestamps = false

    /// Classic histograms alone, as text formats have them.
    public init() {}

    /// Says what is wanted.
    public init(nativeHistograms: Bool, classicHistograms: Bool = false, startTimestamps: Bool = false) {
        self.nativeHistograms = nativeHistograms
        self.classicHistograms = classicHistograms
        self.startTimestamps = startTimestamps
    }
}

/// The metric type in a `# TYPE` line.
public enum MetricType: UInt8, Equatable, Sendable, CaseIterable {
    case unknown
    case counter
    case gauge
    case histogram
    case gaugehistogram
    case summary
    case info
    case stateset

    /// The word in metadata, and in OpenMetrics.
    public var name: String { "\(self)" }
}

/// Why a body is refused, and in which line.
public struct ExpositionError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Line from 1; 0 where the fault has no place.
    public var line: Int
    /// What is wrong.
    public var message: String

    /// A fault in `line`.
    public init(line: Int, message: String) {
        self.line = line
        self.message = message
    }

    /// `line 3: expected value after metric`.
    public var description: String { line > 0 ? "line \(line): \(message)" : message }
}

/// The bytes of a scraped body, with room behind them so that the parser may load whole words.
public struct ExpositionBody: Sendable {
    /// How many bytes follow the body; all are zero.
    public static let padding = 64
    /// The longest body that is parsed.
    static let maximumCount = 1 << 30

    let bytes: [UInt8]
    /// Length of the body.
    public let count: Int

    /// Takes over `bytes`. Where their capacity has room for ``padding`` nothing is copied.
    public init(_ bytes: consuming [UInt8]) {
        count = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: Self.padding))
        self.bytes = bytes
    }

    /// The memory of the body, for another one; what is in it does not matter any more.
    public consuming func releaseBuffer() -> [UInt8] { bytes }

    /// Calls `body` with a parser at the beginning.
    func withParser<Result>(
        _ format: ExpositionFormat, _ body: (inout ExpositionParser) throws(ExpositionError) -> Result
    ) throws(ExpositionError) -> Result {
        guard count <= Self.maximumCount else {
            throw ExpositionError(line: 0, message: "the body is larger than 1 GiB")
        }
        return try unsafe bytes.withUnsafeBufferPointer { buffer throws(ExpositionError) in
            // The padding makes sure that there is a base address.
            var parser = unsafe ExpositionParser(buffer.baseAddress!, count: count, format: format)
            return try body(&parser)
        }
    }
}

/// Something a body says, in full. For tools and tests: scraping goes through ``BodyPredictor``.
public enum ExpositionEntry: Equatable, Sendable {
    case type(metric: String, MetricType)
    case help(metric: String, String)
    case unit(metric: String, String)
    case comment(String)
    case sample(ExpositionSample)
    case histogram(ExpositionHistogram)
}
