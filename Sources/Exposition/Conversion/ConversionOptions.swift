/// The conversions of a body's series before they are stored. A value.
public struct ConversionOptions: Equatable, Sendable {
    /// Whether classic histograms become native ones with custom bounds.
    public var convertsClassic: Bool
    /// Whether the classic histograms are kept too.
    public var keepsClassic: Bool
    /// Whether `_created` series of OpenMetrics become start timestamps of others instead of series.
    public var takesCreated: Bool

    /// A set of conversions; none by default.
    public init(convertsClassic: Bool = false, keepsClassic: Bool = false, takesCreated: Bool = false) {
        self.convertsClassic = convertsClassic
        self.keepsClassic = keepsClassic
        self.takesCreated = takesCreated
    }

    var isNeeded: Bool { convertsClassic || takesCreated }
}
