internal import MetricModel

/// The volatile state of one service in a controller: active operations, retries and readings.
struct ServiceWork: Hashable {
    /// An active request or order.
    struct Question: Hashable {
        var id: UInt64
        var deadline: Instant
    }

    /// The page that a candidate was reduced.
    struct Reduction: Hashable {
        /// Its key.
        var page: String
        /// The reason in ``RolloutController/freezes`` that it speaks of.
        var freeze: String
    }

    /// Its routes, in the order of the plan.
    var routes: [RouteWork]
    /// The request to its gates.
    var gates: Question?
    /// When closed gates are evaluated again.
    var gatesDue: Instant?
    /// Since when its gates have been closed.
    var gateClosedSince: Instant?
    /// The gate that had no data at its last evaluation.
    var gateLack: EvidenceLack?
    /// Since when it is held back by missing data, and the key of the notification.
    var lackSince: Instant?
    var lackPage: String?
    /// Its reduction; `nil` if none was paged.
    var reduction: Reduction?
    /// Since when this process has been taking it back.
    var backSince: Instant?

    /// The state of a service with this many routes, before any reading.
    init(routes count: Int) {
        routes = Array(repeating: RouteWork(), count: count)
    }

    /// Drops active operations and failures, but not readings.
    mutating func forget() {
        gates = nil
        gatesDue = nil
        gateClosedSince = nil
        gateLack = nil
        lackSince = nil
        lackPage = nil
        reduction = nil
        backSince = nil
        for index in routes.indices { routes[index].forget() }
    }

    /// Begins new weights: replies to earlier requests must not be used for them.
    mutating func begin() {
        gates = nil
        gatesDue = nil
        gateClosedSince = nil
        for index in routes.indices { routes[index].begin() }
    }
}

/// The volatile state of one route in a controller.
struct RouteWork: Hashable {
    /// An active operation.
    struct Pending: Hashable {
        var id: UInt64
        var purpose: Purpose
        var since: Instant
        var deadline: Instant
    }

    /// The purpose of an operation.
    enum Purpose: Hashable {
        /// Whether the target is healthy, before traffic is shifted.
        case target
        case shift(TrafficSplit)
        /// Whether the shift has taken effect.
        case verify
        case isolate
        case validate
        case reconcile

        /// Whether the weights are only read.
        var isReading: Bool {
            switch self {
            case .target, .verify, .validate, .reconcile: true
            case .shift, .isolate: false
            }
        }
    }

    /// The progress of a change of weights on this route.
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
    enum Obstacle: Hashable {
        /// It cannot be read or written.
        case unreachable(String)
        /// The version that would get the traffic is not verified healthy.
        case unhealthy(String)
        /// Somebody else sets other weights again and again.
        case contested(String)

        var reason: String {
            switch self {
            case .unreachable(let reason), .unhealthy(let reason), .contested(let reason): reason
            }
        }
    }

    var pending: Pending?
    var retryAt: Instant?
    /// Failures in a row.
    var failures = 0
    /// When it is read next while its service is idle.
    var reconcileAt: Instant?
    /// Whether drift was recorded that is not corrected.
    var isDriftRefused = false
    /// The router's process at the last reading of the route at rest.
    var process: RouterProcess?
    /// How often in a row weights were corrected that somebody else had set, and when last.
    var corrections = 0
    var correctedAt: Instant?
    var leg = Leg.unread
    var obstacle: Obstacle?
    /// Whether it was read since the process or the term of the lease began.
    var isRead = false
    /// The last reading.
    var view = RouteView()
    /// The last revision of its service's weights that was ordered before it was journalled.
    var unstoredRevision: UInt64?
    /// The key of the active notification that it cannot be read; `nil` for none.
    var unreadPage: String?

    mutating func forget() {
        pending = nil
        retryAt = nil
        failures = 0
        reconcileAt = nil
        leg = .unread
        obstacle = nil
        isRead = false
        unreadPage = nil
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
