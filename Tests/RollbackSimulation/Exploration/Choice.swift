/// One thing that may happen next in a ``Moment``.
struct Choice: Hashable, Sendable {
    enum Kind: UInt8, Sendable {
        /// A router carries out the first operation that waits for it, and its reply arrives. `a`: the route.
        case answer
        /// A router carries out the first operation that waits for it; the reply is on its way. `a`: the route.
        case effect
        /// The operation fails. `a`: the route; `b`: 1 if it took effect nevertheless.
        case refuse
        /// The reply is lost. `a`: the route; `b`: 1 if the operation took effect.
        case lose
        /// An operation whose reply is lost takes effect. `a`: the route; `b`: the weight.
        case lateEffect
        /// A router dies, or lives again. `a`: the route.
        case die, revive
        /// A stable version falls ill, or recovers. `a`: the service.
        case sicken, recover
        /// Somebody else sets a weight. `a`: the route; `b`: the candidate's weight.
        case foreign
        /// The write of a record ends.
        case written
        /// The write of a record fails.
        case refuseWrite
        /// The write of a record does not end for now.
        case hangWrite
        /// The time for which the machine waits has come.
        case wake
        /// A step of the clock.
        case tick
        /// A rule is measured. `a`: the service; `b`: 0 healthy, 1 violated, 2 missing.
        case measure
        case start, abort, rollback, rollbackOf, pause, resume
        /// The plan and the rules are read again.
        case reload
        /// The process ends. `b`: 1 if the record that was being written is stored.
        case crash
        /// A process begins. `b`: 1 a step of the clock later.
        case restart
    }

    var kind: Kind
    var a: UInt8 = 0
    var b: UInt8 = 0
    /// After how many of the actions that reach out of the process it ends; 0 for not at all.
    var cut: UInt8 = 0
    /// Whether the record that was being written then is stored.
    var isStored = false

    init(_ kind: Kind, _ a: Int = 0, _ b: Int = 0) {
        self.kind = kind
        self.a = UInt8(a)
        self.b = UInt8(b)
    }

    /// Four bytes for the list of all states.
    var code: UInt32 {
        UInt32(kind.rawValue) | UInt32(a) << 8 | UInt32(b) << 16 | UInt32(cut << 1 | (isStored ? 1 : 0)) << 24
    }

    init(code: UInt32) {
        // Made by `code`.
        kind = Kind(rawValue: UInt8(truncatingIfNeeded: code)) ?? .tick
        a = UInt8(truncatingIfNeeded: code >> 8)
        b = UInt8(truncatingIfNeeded: code >> 16)
        let last = UInt8(truncatingIfNeeded: code >> 24)
        (cut, isStored) = (last >> 1, last & 1 == 1)
    }

    /// The choice as a sentence.
    func description(in world: SmallWorld) -> String {
        var route: String { "\(world.routes[Int(a)])" }
        var service: String { world.services[Int(a)] }
        let text =
            switch kind {
            case .answer: "\(route) answers"
            case .effect: "\(route) carries out what it was asked; the reply is on its way"
            case .refuse: "\(route) fails\(b == 1 ? " after it took effect" : "")"
            case .lose: "the reply of \(route) is lost\(b == 1 ? " after it took effect" : "")"
            case .lateEffect: "an old shift of \(route) to \(100 - b)/\(b) takes effect"
            case .die: "\(route) dies"
            case .revive: "\(route) lives again"
            case .sicken: "the stable version of \(service) is unhealthy"
            case .recover: "the stable version of \(service) is healthy again"
            case .foreign: "somebody else sets \(route) to \(100 - b)/\(b)"
            case .written: "the journal is written"
            case .refuseWrite: "the disk refuses the record"
            case .hangWrite: "the disk hangs"
            case .wake: "the timer fires"
            case .tick: "time passes"
            case .measure: "\(service) is measured: \(["healthy", "violated", "missing"][Int(b)])"
            case .start: "order: start"
            case .abort: "order: abort"
            case .rollback: "order: rollback"
            case .rollbackOf: "order: rollback of \(service)"
            case .pause: "order: pause"
            case .resume: "order: resume"
            case .reload: "plan and rules are read again"
            case .crash: "the process ends\(b == 1 ? "; its last record is stored" : "")"
            case .restart: "a process begins\(b == 1 ? " a while later" : "")"
            }
        guard cut > 0 else { return text }
        return "\(text); the process ends after \(cut) of its actions\(isStored ? "; its last record is stored" : "")"
    }
}
