internal import MetricModel

/// What a controller knows of one service and forgets with the process: what is under way, what waits, what was read.
struct ServiceWork: Equatable {
    /// A question or an order under way.
    struct Question: Equatable {
        var id: UInt64
        var deadline: Instant
    }

    /// Its routes, in the order of the plan.
    var routes: [RouteWork]
    /// The question to its gates.
    var gates: Question?
    /// When closed gates are asked again.
    var gatesDue: Instant?
    /// Since when its gates have been closed.
    var gateClosedSince: Instant?
    /// Which gate had no data when it was last asked.
    var gateLack: EvidenceLack?
    /// Since when it is held back for want of data, and the key under which people were notified.
    var lackSince: Instant?
    var toldLack: String?
    /// Since when this process has been taking it back.
    var backSince: Instant?

    /// Work on a service with this many routes, of which nothing is known.
    init(routes count: Int) {
        routes = Array(repeating: RouteWork(), count: count)
    }

    /// Forgets what is under way and what failed, but not what was read.
    mutating func forget() {
        gates = nil
        gatesDue = nil
        gateClosedSince = nil
        gateLack = nil
        lackSince = nil
        toldLack = nil
        backSince = nil
        for index in routes.indices { routes[index].forget() }
    }

    /// Begins a new division of traffic: replies to earlier questions must not be taken for answers about it.
    mutating func begin() {
        gates = nil
        gatesDue = nil
        gateClosedSince = nil
        for index in routes.indices { routes[index].begin() }
    }
}

/// What a controller knows of one route and forgets with the process.
struct RouteWork: Equatable {
    /// An operation under way.
    struct Pending: Equatable {
        var id: UInt64
        var purpose: Purpose
        var since: Instant
        var deadline: Instant
    }

    /// What an operation is for.
    enum Purpose: Equatable {
        /// Whether the target is healthy, before traffic is shifted.
        case target
        case shift(TrafficSplit)
        /// Whether the shift has come into effect.
        case verify
        case isolate
        case validate
        case reconcile

        /// Whether the division is read, and nothing is changed.
        var isReading: Bool {
            switch self {
            case .target, .verify, .validate, .reconcile: true
            case .shift, .isolate: false
            }
        }
    }

    /// How far a change of the division has come along this route.
    enum Leg: Int, Comparable {
        case unread
        /// It was read, and may be shifted.
        case fit
        /// The router has acknowledged.
        case shifted
        /// The division has been read back.
        case verified
        /// The candidate has been isolated, after a shift to the stable version.
        case isolated

        static func < (left: Leg, right: Leg) -> Bool { left.rawValue < right.rawValue }
    }

    /// Why a route does not get on.
    enum Obstacle: Equatable {
        /// It cannot be read or written.
        case unreachable(String)
        /// The version that would get the traffic is not verified healthy.
        case unhealthy(String)

        var reason: String {
            switch self {
            case .unreachable(let reason), .unhealthy(let reason): reason
            }
        }
    }

    var pending: Pending?
    var retryAt: Instant?
    /// Failures in a row.
    var failures = 0
    /// When it is read next while its service is at rest.
    var reconcileAt: Instant?
    /// Whether drift was recorded that is not corrected.
    var isDriftRefused = false
    var leg = Leg.unread
    var obstacle: Obstacle?
    /// Whether it was read since the process or the term of the lease began.
    var isRead = false
    /// What was last read.
    var view = RouteView()

    mutating func forget() {
        pending = nil
        retryAt = nil
        failures = 0
        reconcileAt = nil
        leg = .unread
        obstacle = nil
        isRead = false
    }

    mutating func begin() {
        if pending?.purpose == .reconcile { reconcileAt = nil }
        pending = nil
        leg = .unread
        succeeded()
    }

    mutating func succeeded() {
        failures = 0
        retryAt = nil
        obstacle = nil
    }
}
