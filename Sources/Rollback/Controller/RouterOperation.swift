/// Something that is asked of the router of one route.
public struct RouterOperation: Equatable, Sendable {
    /// What is asked.
    public enum Kind: Equatable, Sendable {
        /// Read the live weights and the health of both versions.
        case inspect
        /// Divide the traffic like this.
        case shift(TrafficSplit)
        /// Keep new requests away from the candidate for good.
        case isolate
    }

    /// Comes back with the answer.
    public var id: UInt64
    /// The fencing number of the lease under which it was asked.
    public var epoch: UInt64
    /// The rollout it belongs to.
    public var generation: UInt64
    /// The service.
    public var service: String
    /// Which of its routes, from 0.
    public var route: Int
    /// What is asked.
    public var kind: Kind
    /// Equal for repetitions of one intention, different for different ones.
    public var key: String

    /// The route.
    public var target: RouteID { RouteID(service, route) }

    /// A value with these parts.
    package init(
        id: UInt64, epoch: UInt64, generation: UInt64, service: String, route: Int = 0, kind: Kind, key: String
    ) {
        self.id = id
        self.epoch = epoch
        self.generation = generation
        self.service = service
        self.route = route
        self.kind = kind
        self.key = key
    }
}

/// Whether a version can take traffic.
public enum TargetHealth: Equatable, Sendable {
    case healthy
    case unhealthy(String)
    /// Nobody could tell.
    case unknown(String)

    /// What two observers say together: any bad news counts, and one good word is enough.
    public func combined(with other: TargetHealth) -> TargetHealth {
        switch (self, other) {
        case (.unhealthy, _): self
        case (_, .unhealthy): other
        case (.healthy, _), (_, .healthy): .healthy
        case (.unknown(let one), .unknown(let two)): .unknown("\(one), \(two)")
        }
    }
}

/// What the router of a route shows at one moment.
public struct Inspection: Equatable, Sendable {
    /// How traffic is divided; `nil` where neither version gets any, or routers disagree.
    public var split: TrafficSplit?
    /// Whether the stable version can take traffic.
    public var stable: TargetHealth
    /// Whether the candidate can take traffic.
    public var candidate: TargetHealth
    /// Whether new requests are kept away from the candidate beyond its weight.
    public var isCandidateIsolated: Bool
    /// Requests the candidate has got since its router started, where that is counted.
    public var candidateRequests: UInt64?

    /// What was seen.
    public init(
        split: TrafficSplit?, stable: TargetHealth, candidate: TargetHealth = .unknown("not checked"),
        isCandidateIsolated: Bool = false, candidateRequests: UInt64? = nil
    ) {
        self.split = split
        self.stable = stable
        self.candidate = candidate
        self.isCandidateIsolated = isCandidateIsolated
        self.candidateRequests = candidateRequests
    }
}

/// The answer to a ``RouterOperation``.
public enum OperationResult: Equatable, Sendable {
    case inspected(Inspection)
    /// The router has acknowledged a shift or an isolation.
    case done
    case failed(String)
}

/// Gates of one service that are asked from outside.
public struct GateQuestion: Equatable, Sendable {
    /// Comes back with the answer.
    public var id: UInt64
    /// The service.
    public var service: String
    /// Gates that ask an expression or a URL.
    public var gates: [RolloutPlan.Gate]
}

/// The answer of one gate.
public struct GateAnswer: Equatable, Sendable {
    /// The gate's name.
    public var name: String
    /// Whether it lets the rollout pass.
    public var isOpen: Bool
    /// What was seen.
    public var detail: String
    /// The value of its expression, where it has one.
    public var value: Double?
    /// Whether it is closed because its expression yields nothing, or cannot be evaluated.
    public var isMissing: Bool

    /// An answer.
    public init(name: String, isOpen: Bool, detail: String, value: Double? = nil, isMissing: Bool = false) {
        self.name = name
        self.isOpen = isOpen
        self.detail = detail
        self.value = value
        self.isMissing = isMissing
    }
}
