internal import CurlHTTP
public import Rollback

/// What a route shows when it is read back.
public struct RouteReading: Equatable, Sendable {
    /// The service.
    public var service: String
    /// The router with what tells it from others.
    public var router: String
    /// What was seen, the service's health URL included.
    public var inspection: Inspection?
    /// Why nothing could be seen.
    public var fault: String?

    /// Whether traffic could be taken back along this route: it is divided, and the stable version is verified healthy.
    public var isFit: Bool { inspection.map { $0.split != nil && $0.stable == .healthy } ?? false }
}

extension RolloutPlan {
    /// Reads back every route, one after the other, in the order of promotion. Changes nothing. Blocks, for a few times
    /// the timeouts of the routes at most.
    public func readRoutes() -> [RouteReading] {
        let client = HTTPClient()
        return services.flatMap { service in
            service.routes.map { route in
                var alone = service
                alone.routes = [route]
                let router = ServiceRouter(alone, client: client)
                let operation = RouterOperation(
                    id: 0, epoch: 0, generation: 0, service: service.name, kind: .inspect, key: "")
                var reading = RouteReading(service: service.name, router: router.routers[0].description)
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
