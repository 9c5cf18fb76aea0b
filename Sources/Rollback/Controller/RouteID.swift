/// One route of one service of a plan.
public struct RouteID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The service.
    public var service: String
    /// The index of the route in the service, from 0, in the order of the plan.
    public var index: Int

    /// The route of `service` with this index.
    public init(_ service: String, _ index: Int) {
        self.service = service
        self.index = index
    }

    /// `auth/1`, counted from 1.
    public var description: String { "\(service)/\(index + 1)" }

    /// Whether `left` comes first: by service, then in the order of the plan.
    public static func < (left: RouteID, right: RouteID) -> Bool {
        (left.service, left.index) < (right.service, right.index)
    }
}
