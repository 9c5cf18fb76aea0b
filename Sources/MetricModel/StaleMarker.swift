extension Double {
    /// The NaN that marks the end of a series. Distinguished from other NaNs by its bits.
    public static let staleMarker = Double(bitPattern: 0x7ff0_0000_0000_0002)
    /// The NaN that is stored if a target exposes `NaN`.
    public static let canonicalNaN = Double(bitPattern: 0x7ff8_0000_0000_0001)

    /// Whether this is the staleness marker.
    public var isStaleMarker: Bool { bitPattern == Double.staleMarker.bitPattern }
}
