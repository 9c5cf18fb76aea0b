public import JSON

/// A service as it is now: what is wanted of its routers, what they were read to do, and which versions they know.
public struct LiveService: Equatable, Sendable {
    /// The service.
    public var name: String
    /// Where it stands in the rollout.
    public var progress: String
    /// How traffic is meant to be divided.
    public var wanted: TrafficSplit
    /// What was read from the routers just now.
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

    /// How traffic is divided live; `nil` where it could not be read, or routers disagree.
    public var live: TrafficSplit? {
        if case .inspected(let seen) = inspection { seen.split } else { nil }
    }
}

/// A plan as it is now.
public struct LivePlan: Equatable, Sendable {
    /// The plan.
    public var name: String
    /// Counts the rollouts.
    public var generation: UInt64
    /// Where the rollout stands.
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
