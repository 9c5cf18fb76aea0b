import MetricModel
import Rollback
import RuleModel

/// The state of a ``SmallWorld`` between two events: the machine as a value, and everything around it.
struct Moment: Sendable {
    /// An operation that waits for its router.
    struct Operation: Hashable, Sendable {
        enum Kind: UInt8, Sendable { case inspect, shift, isolate }
        /// The machine's number of it.
        var id: UInt64
        var kind: Kind
        /// The candidate's weight of a shift.
        var weight: UInt8 = 0
        /// Whether the machine still waits for the reply.
        var isAwaited = true
        /// The reply, once it was carried out.
        var reply: Reply?
    }

    /// What a router has replied.
    enum Reply: Hashable, Sendable {
        case read(weight: UInt8, stableIsHealthy: Bool)
        case done
        case failed
    }

    /// What the present process read last.
    struct Reading: Hashable, Sendable {
        var weight: UInt8
        var stableIsHealthy: Bool
        var at: Instant
        /// Whether a shift was sent since.
        var isBeforeShift = false
    }

    /// A shift without a reply, which may still take effect.
    struct Stray: Hashable, Sendable {
        var weight: UInt8
        /// Steps of the clock since it was lost.
        var age: UInt8 = 0
    }

    /// One route.
    struct Route: Hashable, Sendable {
        /// The candidate's weight.
        var weight: UInt8 = 0
        var isDead = false
        var stableIsHealthy = true
        /// Whether its last operation failed or had no reply.
        var isTroubled = false
        var seen: Reading?
        /// Whether the last reading failed.
        var isUnread = false
        /// Carried out one after the other; at most one shift that is not awaited any more precedes the awaited one.
        var queue: [Operation] = []
        var strays: [Stray] = []
    }

    /// A record that is being written.
    struct Write: Sendable {
        var number: UInt64
        var state: RolloutState
    }

    /// What survives the process.
    struct Storage: Sendable {
        var state: RolloutState?
        var rules: [String: RollbackRule] = [:]
        var busy: Write?
        var next: Write?
        /// Whether the last write failed.
        var isFailing = false
        var isHung = false
    }

    /// The process; `nil` while there is none.
    var machine: PlanMachine?
    var now = SmallWorld.beginning
    var routes: [Route]
    var disk = Storage()

    // What may still happen.
    var faults: Int
    var orders: Int
    var reloads = 0

    // The memory of the checks.
    /// The end of the cooldown of the last trip.
    var cooldownUntil: Instant?
    /// The services that were measured in their present stage, or at the instant at which it began, as bits.
    var counted: UInt8 = 0
    /// Those that were measured at this instant.
    var countedNow: UInt8 = 0
    /// The first check that failed.
    var violation: (invariant: Invariant, detail: String)?
    /// What happens, as text; only on request.
    var trace: [String]?

    /// The beginning of `world`: a process that has never run before.
    init(_ world: SmallWorld) {
        routes = Array(repeating: Route(), count: world.routes.count)
        faults = world.size.faults
        orders = world.size.orders
        restart(in: world)
    }

    /// The last state that was made a record, by this process or the one before.
    var recorded: RolloutState {
        disk.next?.state ?? disk.busy?.state ?? disk.state ?? RolloutState()
    }

    mutating func fail(_ invariant: Invariant, _ detail: @autoclosure () -> String) {
        if violation == nil { violation = (invariant, detail()) }
    }

    mutating func check(_ invariant: Invariant, _ condition: Bool, _ detail: @autoclosure () -> String) {
        if !condition { fail(invariant, detail()) }
    }

    mutating func note(_ text: @autoclosure () -> String) {
        if trace != nil { trace?.append(text()) }
    }
}
