/// A format of exposed metrics.
public enum ExpositionFormat: UInt8, Equatable, Sendable {
    /// Prometheus's text format 0.0.4.
    case text
    /// OpenMetrics 1.0 (and 0.0.1).
    case openMetrics
    /// Delimited `io.prometheus.client.MetricFamily` messages, the only format with native histograms.
    case protobuf
}

/// The optional parts of a body to read. A value.
public struct ExpositionOptions: Equatable, Sendable {
    /// Whether native histograms are read; otherwise their classic buckets are.
    public var nativeHistograms = false
    /// Whether the classic buckets of native histograms are read too.
    public var classicHistograms = false
    /// Whether start timestamps are read.
    public var startTimestamps = false

    /// Only classic histograms, as in text formats.
    public init() {}

    /// A set of options.
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

    /// The name in metadata, and in OpenMetrics.
    public var name: String { "\(self)" }
}

/// Why a body is invalid, with the line.
public struct ExpositionError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Line from 1; 0 if the error has no position.
    public var line: Int
    /// The message.
    public var message: String

    /// An error in `line`.
    public init(line: Int, message: String) {
        self.line = line
        self.message = message
    }

    /// `line 3: expected value after metric`.
    public var description: String { line > 0 ? "line \(line): \(message)" : message }
}

/// The bytes of a scraped body, with padding after them so that the parser may load whole words.
public struct ExpositionBody: Sendable {
    /// The number of zero bytes after the body.
    public static let padding = 64
    /// The maximum length of a body.
    static let maximumCount = 1 << 30

    let bytes: [UInt8]
    /// The length of the body.
    public let count: Int

    /// Takes ownership of `bytes`. If their capacity has room for ``padding``, nothing is copied.
    public init(_ bytes: consuming [UInt8]) {
        count = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: Self.padding))
        self.bytes = bytes
    }

    /// The memory of the body, for reuse. Its content is undefined.
    public consuming func releaseBuffer() -> [UInt8] { bytes }

    /// Calls `body` with a parser at the start.
    func withParser<Result>(
        _ format: ExpositionFormat, _ body: (inout ExpositionParser) throws(ExpositionError) -> Result
    ) throws(ExpositionError) -> Result {
        guard count <= Self.maximumCount else {
            throw ExpositionError(line: 0, message: "the body is larger than 1 GiB")
        }
        return try unsafe bytes.withUnsafeBufferPointer { buffer throws(ExpositionError) in
            // Because of the padding there is a base address.
            var parser = unsafe ExpositionParser(buffer.baseAddress!, count: count, format: format)
            return try body(&parser)
        }
    }
}

/// An entry of a body, in full. For tools and tests: scrapes use ``BodyPredictor``.
public enum ExpositionEntry: Equatable, Sendable {
    case type(metric: String, MetricType)
    case help(metric: String, String)
    case unit(metric: String, String)
    case comment(String)
    case sample(ExpositionSample)
    case histogram(ExpositionHistogram)
}
