/// The parts of the language that a server accepts only when asked to.
public struct ParserFeatures: Equatable, Sendable {
    /// Functions and aggregations marked experimental.
    public var experimentalFunctions: Bool
    /// `anchored` and `smoothed`.
    public var extendedRangeSelectors: Bool
    /// `fill`, `fill_left` and `fill_right`.
    public var fillModifiers: Bool

    /// A choice of features.
    public init(
        experimentalFunctions: Bool = false, extendedRangeSelectors: Bool = false, fillModifiers: Bool = false
    ) {
        self.experimentalFunctions = experimentalFunctions
        self.extendedRangeSelectors = extendedRangeSelectors
        self.fillModifiers = fillModifiers
    }

    /// The features that a server accepts without any `--enable-feature`.
    public static let standard = ParserFeatures()
    /// Everything.
    public static let all = ParserFeatures(
        experimentalFunctions: true, extendedRangeSelectors: true, fillModifiers: true)
}
