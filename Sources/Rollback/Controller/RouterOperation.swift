/// An operation on the router of one route.
public struct RouterOperation: Hashable, Sendable {
    /// The kind of the operation.
    public enum Kind: Hashable, Sendable {
        /// Read the live weights and the health of both versions.
        case inspect
        /// Set these weights.
        case shift(TrafficSplit)
        /// Keep new requests away from the candidate permanently.
        case isolate
    }

    /// Returned with the result.
    public var id: UInt64
    /// The fencing number of the lease when it was requested.
    public var epoch: UInt64
    /// The rollout that it belongs to.
    public var generation: UInt64
    /// The service.
    public var service: String
    /// The index of the route in the service, from 0.
    public var route: Int
    /// The kind of the operation.
    public var kind: Kind
    /// The same for retries of one operation, different otherwise.
    public var key: String

    /// The route.
    public var target: RouteID { RouteID(service, route) }

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
public enum TargetHealth: Hashable, Sendable {
    case healthy
    case unhealthy(String)
    /// It could not be determined.
    case unknown(String)

    /// The combined result of two observers: any bad result counts; without one, one good result is sufficient.
    public func combined(with other: TargetHealth) -> TargetHealth {
        switch (self, other) {
        case (.unhealthy, _): self
        case (_, .unhealthy): other
        case (.healthy, _), (_, .healthy): .healthy
        case (.unknown(let one), .unknown(let two)): .unknown("\(one), \(two)")
        }
    }
}

/// The process of a router: another one has the weights of its file again.
public struct RouterProcess: Hashable, Sendable {
    /// Its number; `nil` if the router does not tell it.
    public var pid: Int64?
    /// When it was started, in seconds of the reader's monotonic clock.
    public var startedAt: Int64

    /// A process that has run for `uptime` seconds at `now`, seconds of a monotonic clock.
    public init(pid: Int64? = nil, uptime: Int64, at now: Int64) {
        self.pid = pid
        startedAt = now - uptime
    }

    /// Whether both are readings of one process. Uptimes are whole seconds, so that they may differ a little.
    func isSame(as other: RouterProcess) -> Bool { pid == other.pid && abs(startedAt - other.startedAt) <= 2 }
}

/// The reach of a reading.
public enum ReadingGrade: String, Hashable, Sendable {
    /// An object or a file says so; whether traffic follows is not known.
    case stored
    /// The router itself, which divides the traffic, says so.
    case effective
}

/// A reading of the router of a route.
public struct Inspection: Hashable, Sendable {
    /// The weights; `nil` if neither version gets traffic, or routers disagree.
    public var split: TrafficSplit?
    /// Whether the stable version can take traffic.
    public var stable: TargetHealth
    /// Whether the candidate can take traffic.
    public var candidate: TargetHealth
    /// Whether new requests are kept away from the candidate in addition to its weight.
    public var isCandidateIsolated: Bool
    /// Requests of the candidate since its router started, if they are counted.
    public var candidateRequests: UInt64?
    /// The router's process; `nil` if the router does not tell it.
    public var process: RouterProcess?
    /// Whether traffic is known to follow what was read.
    public var grade = ReadingGrade.effective

    /// A reading.
    public init(
        split: TrafficSplit?, stable: TargetHealth, candidate: TargetHealth = .unknown("not checked"),
        isCandidateIsolated: Bool = false, candidateRequests: UInt64? = nil, process: RouterProcess? = nil,
        grade: ReadingGrade = .effective
    ) {
        self.split = split
        self.stable = stable
        self.candidate = candidate
        self.isCandidateIsolated = isCandidateIsolated
        self.candidateRequests = candidateRequests
        self.process = process
        self.grade = grade
    }
}

/// The result of a ``RouterOperation``.
public enum OperationResult: Hashable, Sendable {
    case inspected(Inspection)
    /// The router has acknowledged a shift or an isolation.
    case done
    case failed(String)
}

/// A request to evaluate gates of one service.
public struct GateQuestion: Hashable, Sendable {
    /// Returned with the result.
    public var id: UInt64
    /// The service.
    public var service: String
    /// Gates with an expression or a URL.
    public var gates: [RolloutPlan.Gate]
}

/// The result of one gate.
public struct GateAnswer: Hashable, Sendable {
    /// The gate's name.
    public var name: String
    /// Whether it is open.
    public var isOpen: Bool
    /// A text for reports.
    public var detail: String
    /// The value of its expression, if it has one.
    public var value: Double?
    /// Whether it is closed because its expression returned nothing or could not be evaluated.
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
