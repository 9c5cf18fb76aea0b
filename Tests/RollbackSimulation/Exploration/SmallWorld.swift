import MetricModel
import Rollback
import RuleModel

/// A world small enough for every order of its events to be tried: its plan, its rules, and how often things may go
/// wrong.
///
/// Its clock moves in steps of ten seconds, the longest time for which the machine waits for one reply. Everything else
/// happens between two steps, in any order, so that the durations of effects, replies and writes are not those of this
/// world but any.
public struct SmallWorld: Sendable {
    /// What the world consists of, and how much of everything may happen in it.
    public struct Size: Sendable {
        /// Services, 1 or 2; the second one depends on the first one.
        public var services: Int
        /// Routes of each service, 1 or 2.
        public var routes: Int
        /// Faults: crashes, lost replies, refusals, dead routers, unhealthy stable versions, refused and hung writes of
        /// the journal, weights set by another writer.
        public var faults: Int
        /// Orders apart from those to start: abort, rollback, pause, resume.
        public var orders: Int
        /// Reloads of the plan and the rules.
        public var reloads: Int
        /// Rollouts.
        public var generations: UInt64

        /// A world of this size.
        public init(
            services: Int = 1, routes: Int = 1, faults: Int = 0, orders: Int = 0, reloads: Int = 0,
            generations: UInt64 = 2
        ) {
            self.services = services
            self.routes = routes
            self.faults = faults
            self.orders = orders
            self.reloads = reloads
            self.generations = generations
        }
    }

    /// Its size.
    public let size: Size
    /// A defect that the checks must find.
    public let sabotage: Sabotage?
    /// The step of its clock.
    static let step = Milliseconds.seconds(10)
    /// The beginning of its time.
    static let beginning = Instant(nanoseconds: 1_800_000_000_000_000_000)

    /// The plan at the beginning, and after a reload.
    let plans: [RolloutPlan]
    /// Its services, in the order of the plan.
    let services: [String]
    /// Its routes, service by service.
    let routes: [RouteID]
    /// The rule of each service.
    let rules: [RollbackDefinition]
    let order: Topology

    /// A world of this size, perhaps with a defect in the shell around the machine.
    public init(_ size: Size, sabotage: Sabotage? = nil) {
        self.size = size
        self.sabotage = sabotage
        plans = ["10s", "20s"].map { Self.plan(size, bake: $0) }
        services = plans[0].services.map(\.name)
        routes = plans[0].services.flatMap { service in service.routes.indices.map { RouteID(service.name, $0) } }
        order = Topology(plans[0])
        rules = plans[0].services.map { service in
            RollbackDefinition(
                name: "R\(service.name)", expression: "x", trip: .init(.less, 0.95),
                missing: .init(policy: .freeze), cooldown: Self.step,
                action: .init(plan: "small", service: service.name, scope: .serviceAndDependents))
        }
    }

    /// The key of the rule of the service with this index.
    func key(_ service: Int) -> String { "f;g;R\(services[service])" }

    /// The plan that the machine knows.
    func plan(reloads: Int) -> RolloutPlan {
        var plan = plans[min(reloads, 1)]
        guard sabotage == .ignoresDependencies else { return plan }
        for index in plan.services.indices { plan.services[index].depends = [] }
        return plan
    }

    /// The rules in force. A rule expects data as soon as a candidate has traffic.
    var watches: [RuleWatch] {
        rules.indices.map { index in
            RuleWatch(
                rule: key(index), definition: rules[index],
                services: sabotage == .asksForNoData ? [] : [services[index]], firstData: .zero)
        }
    }

    /// The service of the route with this index.
    func service(of route: Int) -> Int { route / size.routes }

    /// The routes of the service with this index.
    func routes(of service: Int) -> Range<Int> { service * size.routes..<(service + 1) * size.routes }

    private static func plan(_ size: Size, bake: String) -> RolloutPlan {
        let route = "{exec: {shift: [s], read: [r]}, timeout: 1s}"
        let routes = Array(repeating: route, count: size.routes).joined(separator: ", ")
        let services = ["- {name: a, routes: [\(routes)]}", "- {name: b, depends: [a], routes: [\(routes)]}"]
        let text = """
            plan: small
            stages: [50, 100]
            bake: \(bake)
            settle: 0s
            max_concurrent: 2
            reconcile: 10s
            retain_stable: 20s
            gate_timeout: 10s
            page_unread_after: 10s
            validation: {rounds: 1, interval: 1s, timeout: 20s}
            services:
            \(services.prefix(size.services).joined(separator: "\n"))
            """
        do {
            return try RolloutPlan(parsing: text, file: "small.yml")
        } catch {
            fatalError("\(error)")
        }
    }
}
