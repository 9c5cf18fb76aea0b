/// The faults of a world, including actions of users.
public enum Fault: Int, Sendable, CaseIterable {
    /// The process is killed before an action. During a journal write, any part of the record may be on disk.
    case crash
    /// A journal write fails, and so do all others for some time.
    case writeError
    /// The journal is damaged when a process starts.
    case damagedJournal
    /// A journal write takes long.
    case hungJournal
    case lostReply
    case refusal
    case duplicateReply
    case slowRouter
    /// The process cannot reach the router of a service for some time.
    case partition
    /// A user changes live weights without the controller.
    case drift
    /// Neither version gets traffic.
    case blackout
    case sickStable
    case badCandidate
    case missingData
    /// The data of one service vanish until the world is calm.
    case vanishedData
    /// Too little traffic for measurements to count.
    case sparseData
    case closedGate
    case operatorCommand
    case historyOutage
    /// Another process takes the lease, and may shift traffic.
    case rival
    case reload
    /// The process is suspended, or its clock starts elsewhere after a crash.
    case clockJump
    /// Another node continues from the journal records in the database, instead of the process.
    case handOver
    /// The database of the lease does not respond, so that the holder is alone.
    case leaseOutage
    /// A router becomes unreachable, or reachable again.
    case deadRoute
    /// There is another candidate, or it cannot be determined.
    case newVersion
    /// Somebody gives a candidate traffic before there is a rollout.
    case unmanagedTraffic
    /// A user orders that nothing is written for some time.
    case observation
    /// A hook fails, holds, gives no verdict or does not answer.
    case hookTrouble
}

/// One occurrence of a fault: the `number`th time that it could occur and did.
public struct Strike: Hashable, Sendable, CustomStringConvertible {
    /// The fault.
    public var fault: Fault
    /// Counts the strikes of this fault from 1.
    public var number: Int

    /// `crash#3`.
    public var description: String { "\(fault)#\(number)" }

    /// A strike.
    public init(_ fault: Fault, _ number: Int) {
        self.fault = fault
        self.number = number
    }

    /// Reads the text of `description`.
    public init?(_ text: String) {
        let parts = text.split(separator: "#")
        guard parts.count == 2, let number = Int(parts[1]),
            let fault = Fault.allCases.first(where: { "\($0)" == String(parts[0]) })
        else { return nil }
        self.init(fault, number)
    }
}

/// A small fast generator with a seed, so that every run can be repeated.
public struct SplitMix: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// The numbers of `state`.
    public init(state: UInt64) {
        self.state = state
    }

    /// The next number.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// Returns true with this probability.
    public mutating func chance(_ probability: Double) -> Bool {
        Double(next() >> 11) * 0x1p-53 < probability
    }

    /// A number in `range`, almost uniformly distributed.
    public mutating func pick(_ range: ClosedRange<Int64>) -> Int64 {
        range.lowerBound + Int64(next() % UInt64(range.upperBound - range.lowerBound + 1))
    }

    /// One of `elements`.
    public mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int(next() % UInt64(elements.count))]
    }
}

/// Decides when faults strike. Each fault has its own random numbers, so that leaving one strike out changes the others
/// as little as possible. This makes failures shrink.
struct Injector: Sendable {
    private var streams: [SplitMix]
    private var counts: [Int]
    /// The probability of each fault where it may strike.
    var rates: [Double]
    /// The only strikes that take effect; `nil` for all.
    var kept: Set<Strike>?
    /// The strikes that took effect, in order.
    private(set) var struck: [Strike] = []
    /// Whether faults no longer strike.
    var isCalm = false

    init(seed: UInt64) {
        var source = SplitMix(state: seed)
        streams = Fault.allCases.map { _ in SplitMix(state: source.next()) }
        counts = Fault.allCases.map { _ in 0 }
        rates = Fault.allCases.map { _ in 0 }
    }

    /// Whether `fault` strikes now.
    mutating func strikes(_ fault: Fault) -> Bool {
        let rate = rates[fault.rawValue]
        guard rate > 0, !isCalm, streams[fault.rawValue].chance(rate) else { return false }
        return force(fault)
    }

    /// Makes `fault` strike, unless it is left out.
    mutating func force(_ fault: Fault) -> Bool {
        counts[fault.rawValue] += 1
        let strike = Strike(fault, counts[fault.rawValue])
        if let kept, !kept.contains(strike) { return false }
        struck.append(strike)
        return true
    }

    /// The random numbers of `fault`.
    subscript(_ fault: Fault) -> SplitMix {
        get { streams[fault.rawValue] }
        set { streams[fault.rawValue] = newValue }
    }
}
