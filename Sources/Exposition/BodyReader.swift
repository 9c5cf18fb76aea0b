/// Reads the bodies of one target, in text or in protobuf. A value; used by one thread at a time.
///
/// Each ``parse(_:format:into:limits:)`` is followed by ``commit()`` or ``discard()``.
public struct BodyReader: Sendable {
    private enum Kind: Sendable {
        case lines
        case families
    }

    private let kind: Kind
    /// The one format that is read, where conversion is not the same for all.
    private let onlyFormat: ExpositionFormat?
    private var lines = BodyPredictor()
    private var families: FamilyPredictor
    /// `nil` where nothing is converted, which then costs nothing.
    private var conversion: SeriesConversion?

    /// A reader that knows nothing yet.
    ///
    /// - Parameters:
    ///   - format: One of those that will be read; see ``reads(_:)``.
    ///   - options: The parts of protobuf bodies to read.
    ///   - converting: The conversions of the series.
    public init(
        _ format: ExpositionFormat = .text, _ options: ExpositionOptions = ExpositionOptions(),
        converting: ConversionOptions = ConversionOptions()
    ) {
        kind = format == .protobuf ? .families : .lines
        families = FamilyPredictor(options)
        onlyFormat = converting.takesCreated ? format : nil
        var converting = converting
        // Elsewhere such a series is one like others.
        converting.takesCreated = converting.takesCreated && format == .openMetrics
        conversion = converting.isNeeded ? SeriesConversion(converting) : nil
    }

    /// Whether bodies in this format can be read. A target that changes between text and protobuf needs another reader:
    /// what tells a series in one has no meaning in the other.
    public func reads(_ format: ExpositionFormat) -> Bool {
        kind == (format == .protobuf ? .families : .lines) && onlyFormat ?? format == format
    }

    /// An upper bound for the numbers given to series, exclusive.
    public var numberLimit: Int {
        let limit =
            switch kind {
            case .lines: lines.numberLimit
            case .families: families.numberLimit
            }
        return conversion?.numberLimit(limit) ?? limit
    }

    /// Reads a body. Where it is refused, or ``ScrapedBody/stop`` says that it was not read to its end, ``discard()``
    /// is still to be called.
    public mutating func parse(
        _ body: ExpositionBody, format: ExpositionFormat, into result: inout ScrapedBody,
        limits: ReadingLimits = ReadingLimits()
    ) throws(ExpositionError) {
        switch kind {
        case .lines: try lines.parse(body, format: format, into: &result, limits: limits)
        case .families: try families.parse(body, into: &result, limits: limits)
        }
        if result.stop == nil { conversion?.apply(to: &result) }
    }

    /// Remembers the body that was read, and forgets the series that were not in it.
    ///
    /// - Returns: The numbers of the forgotten series, which may be given to others from now on.
    @discardableResult
    public mutating func commit() -> [Int32] {
        let forgotten =
            switch kind {
            case .lines: lines.commit()
            case .families: families.commit()
            }
        return conversion?.commit(forgotten: forgotten) ?? forgotten
    }

    /// Forgets the body that was read, as if it had never come.
    public mutating func discard() {
        switch kind {
        case .lines: lines.discard()
        case .families: families.discard()
        }
        conversion?.discard()
    }

    /// The last committed body's metadata, one entry per line or field.
    ///
    /// - Complexity: O(bytes of the body); for those who ask, not for every scrape.
    public func metadata() -> [ExpositionEntry] {
        switch kind {
        case .lines: lines.metadata()
        case .families: families.metadata()
        }
    }
}
