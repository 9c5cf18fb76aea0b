internal import CurlHTTP
public import Rollback

/// The result of reading back a route.
public struct RouteReading: Equatable, Sendable {
    /// The service.
    public var service: String
    /// The router, with its address or file.
    public var router: String
    /// The state, including the service's health URL.
    public var inspection: Inspection?
    /// The error, if the route could not be read.
    public var fault: String?

    /// Whether a rollback is possible over this route: the split is known, and the stable version is verified healthy.
    public var isFit: Bool { inspection.map { $0.split != nil && $0.stable == .healthy } ?? false }
}

extension RolloutPlan {
    /// Reads back every route, one after the other, in promotion order. Changes nothing. Blocks for at most a few times
    /// the timeouts of the routes.
    public func readRoutes() -> [RouteReading] {
        let client = HTTPClient()
        return services.flatMap { service in
            service.routes.enumerated().map { index, route in
                let router = ServiceRouter(service, route: index, client: client)
                let operation = RouterOperation(
                    id: 0, epoch: 0, generation: 0, service: service.name, kind: .inspect, key: "")
                var reading = RouteReading(service: service.name, router: route.name)
                switch router.perform(operation) {
                case .inspected(let inspection): reading.inspection = inspection
                case .failed(let reason): reading.fault = reason
                case .done: reading.fault = "nothing was read"
                }
                return reading
            }
        }
    }
}
