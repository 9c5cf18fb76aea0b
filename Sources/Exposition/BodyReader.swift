/// Reads the bodies of one target, in text or in protobuf. A value; used by one thread at a time.
///
/// Each ``parse(_:format:into:limits:)`` is followed by ``commit()`` or ``discard()``.
public struct BodyReader: Sendable {
    private enum Kind: Sendable {
        case lines
        case families
    }

    private let kind: Kind
    /// The only supported format, if series are converted differently in others.
    private let onlyFormat: ExpositionFormat?
    private var lines = BodyPredictor()
    private var families: FamilyPredictor
    /// `nil` if nothing is converted, which then costs nothing.
    private var conversion: SeriesConversion?

    /// A reader without any known series.
    ///
    /// - Parameters:
    ///   - format: a format of the bodies; see ``reads(_:)``.
    ///   - options: the parts of protobuf bodies to read.
    ///   - converting: the conversions of the series.
    public init(
        _ format: ExpositionFormat = .text, _ options: ExpositionOptions = ExpositionOptions(),
        converting: ConversionOptions = ConversionOptions()
    ) {
        kind = format == .protobuf ? .families : .lines
        families = FamilyPredictor(options)
        onlyFormat = converting.takesCreated ? format : nil
        var converting = converting
        // In other formats this is a normal series.
        converting.takesCreated = converting.takesCreated && format == .openMetrics
        conversion = converting.isNeeded ? SeriesConversion(converting) : nil
    }

    /// Whether this reader can read bodies in `format`. A target that changes between text and protobuf needs another
    /// reader, because the two identify series differently.
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

    /// Reads a body. If it throws, or ``ScrapedBody/stop`` says that the body was not read completely, ``discard()``
    /// must still be called.
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

    /// Remembers the body that was read, and removes the series that it does not contain.
    ///
    /// - Returns: the numbers of the removed series, which may be reused.
    @discardableResult
    public mutating func commit() -> [Int32] {
        let forgotten =
            switch kind {
            case .lines: lines.commit()
            case .families: families.commit()
            }
        return conversion?.commit(forgotten: forgotten) ?? forgotten
    }

    /// Discards the body that was read.
    public mutating func discard() {
        switch kind {
        case .lines: lines.discard()
        case .families: families.discard()
        }
        conversion?.discard()
    }

    /// The metadata of the last committed body, one entry per line or field.
    ///
    /// - Complexity: O(bytes of the body); for requests, not for every scrape.
    public func metadata() -> [ExpositionEntry] {
        switch kind {
        case .lines: lines.metadata()
        case .families: families.metadata()
        }
    }
}
