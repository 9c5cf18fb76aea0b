public import JSON

/// The present state of a service: its wanted weights, the weights read from its routers, and its versions.
public struct LiveService: Hashable, Sendable {
    /// The service.
    public var name: String
    /// Its progress in the rollout.
    public var progress: String
    /// The wanted weights.
    public var wanted: TrafficSplit
    /// The last reading of the routers.
    public var inspection: OperationResult
    /// Its routes, each as an object with the kind of router and the targets of both versions.
    public var routes: [JSON]

    /// A service with a reading of its routers.
    public init(name: String, progress: String, wanted: TrafficSplit, inspection: OperationResult, routes: [JSON]) {
        self.name = name
        self.progress = progress
        self.wanted = wanted
        self.inspection = inspection
        self.routes = routes
    }

    /// The live weights; `nil` if they could not be read or routers disagree.
    public var live: TrafficSplit? {
        if case .inspected(let seen) = inspection { seen.split } else { nil }
    }
}

/// The present state of a plan.
public struct LivePlan: Hashable, Sendable {
    /// The plan.
    public var name: String
    /// The number of the rollout.
    public var generation: UInt64
    /// The phase of the rollout.
    public var phase: String
    /// The services in the order of promotion.
    public var services: [LiveService]

    /// A plan with readings of the routers of its services.
    public init(name: String, generation: UInt64, phase: String, services: [LiveService]) {
        self.name = name
        self.generation = generation
        self.phase = phase
        self.services = services
    }
}
