package import CurlHTTP
package import MetricModel
package import Rollback

/// Routers of one service: shifted together, and read as one split only if they agree. Adds the result of the service's
/// health URL. Used by one thread at a time.
package struct ServiceRouter: Sendable {
    private let routers: [(name: String, router: any TrafficRouter)]
    /// The longest time that one operation may take by the timeouts of its routes.
    package let longestOperation: Milliseconds
    let healthURL: String?
    let client: HTTPClient

    /// Timeout of a health URL. After it, the version is not verified.
    private static let healthTimeout: Int64 = 1000

    /// The most steps of an operation that each may take the timeout of the route: nginx has its test, two readings,
    /// the reload and the wait for its workers.
    private static let steps: Int64 = 5

    /// The routers of all routes of `service`, or of the one with this index.
    package init(_ service: RolloutPlan.Service, route index: Int? = nil, client: HTTPClient, fence: Fence = .none) {
        self.client = client
        healthURL = service.stableHealth
        let routes = index.map { [service.routes[$0]] } ?? service.routes
        longestOperation = routes.reduce(.milliseconds(2 * Self.healthTimeout)) {
            $0 + .milliseconds($1.timeout.rawValue * Self.steps)
        }
        routers = routes.map { route in
            (route.name, Self.router(of: route, client, fence))
        }
    }

    private static func router(of route: TrafficRoute, _ client: HTTPClient, _ fence: Fence) -> any TrafficRouter {
        switch route.kind {
        case .haproxy(let haproxy):
            HAProxyRouter(route: haproxy, isolation: route.isolation, timeout: route.timeout, fence: fence)
        case .nginx(let nginx):
            NginxRouter(route: nginx, timeout: route.timeout, client: client, fence: fence)
        case .envoy(let envoy): EnvoyRouter(route: envoy, timeout: route.timeout, client: client, fence: fence)
        case .kubernetes(let kubernetes):
            KubernetesRouter(route: kubernetes, timeout: route.timeout, client: client, fence: fence)
        case .exec(let exec): ExecRouter(route: exec, timeout: route.timeout, fence: fence)
        case .webhook(let webhook):
            WebhookRouter(route: webhook, timeout: route.timeout, client: client, fence: fence)
        }
    }

    /// Carries out one operation. Blocks.
    package func perform(_ operation: RouterOperation) -> OperationResult {
        do throws(RouterError) {
            switch operation.kind {
            case .inspect: return .inspected(try inspect())
            case .shift(let split):
                try each { router throws(RouterError) in try router.shift(to: split, for: operation) }
            case .isolate: try each { router throws(RouterError) in try router.isolate(for: operation) }
            }
            return .done
        } catch {
            return .failed(error.description)
        }
    }

    /// Calls every router before it throws the first error, so that one broken proxy does not keep traffic on the
    /// others.
    private func each(_ body: (any TrafficRouter) throws(RouterError) -> Void) throws(RouterError) {
        var failure: RouterError?
        for (name, router) in routers {
            do throws(RouterError) { try body(router) } catch {
                failure = failure ?? RouterError("\(name): \(error)")
            }
        }
        if let failure { throw failure }
    }

    private func inspect() throws(RouterError) -> Inspection {
        var seen: [Inspection] = []
        try each { router throws(RouterError) in seen.append(try router.read()) }
        guard var all = seen.first else { throw RouterError("the service has no routers") }
        for next in seen.dropFirst() {
            if next.split != all.split { all.split = nil }
            all.stable = Self.worse(all.stable, next.stable)
            all.candidate = Self.worse(all.candidate, next.candidate)
            if next.grade == .stored { all.grade = .stored }
            all.isCandidateIsolated = all.isCandidateIsolated && next.isCandidateIsolated
            if let one = all.candidateRequests, let two = next.candidateRequests {
                all.candidateRequests = one &+ two
            } else {
                all.candidateRequests = nil
            }
        }
        if let healthURL { all.stable = all.stable.combined(with: probe(healthURL)) }
        return all
    }

    /// A version is healthy only if every router can reach it.
    private static func worse(_ one: TargetHealth, _ two: TargetHealth) -> TargetHealth {
        switch (one, two) {
        case (.unhealthy, _): one
        case (_, .unhealthy): two
        case (.unknown, _): one
        case (.healthy, _): two
        }
    }

    private func probe(_ url: String) -> TargetHealth {
        var request = HTTPRequest(url: url)
        request.timeoutMilliseconds = Self.healthTimeout
        request.maximumBodyBytes = 1 << 20
        do throws(HTTPFailure) {
            let status = try client.send(request).status
            return (200..<300).contains(status) ? .healthy : .unhealthy("\(url) answered \(status)")
        } catch {
            return .unhealthy("\(url): \(error.message)")
        }
    }
}
