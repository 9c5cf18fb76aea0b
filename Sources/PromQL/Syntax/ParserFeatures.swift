/// The parts of the language that must be enabled.
public struct ParserFeatures: Equatable, Sendable {
    /// Functions and aggregations marked experimental.
    public var experimentalFunctions: Bool
    /// `anchored` and `smoothed`.
    public var extendedRangeSelectors: Bool
    /// `fill`, `fill_left` and `fill_right`.
    public var fillModifiers: Bool

    /// A set of features.
    public init(
        experimentalFunctions: Bool = false, extendedRangeSelectors: Bool = false, fillModifiers: Bool = false
    ) {
        self.experimentalFunctions = experimentalFunctions
        self.extendedRangeSelectors = extendedRangeSelectors
        self.fillModifiers = fillModifiers
    }

    /// The features that are enabled without `--enable-feature`.
    public static let standard = ParserFeatures()
    /// Everything.
    public static let all = ParserFeatures(
        experimentalFunctions: true, extendedRangeSelectors: true, fillModifiers: true)
}
