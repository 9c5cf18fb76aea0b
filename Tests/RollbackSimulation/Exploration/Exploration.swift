import Runtime
import Synchronization

/// A breadth-first search through every state of a ``SmallWorld``. Every path in it is a run of the machine that can
/// happen; the first violation that it finds has a shortest path.
///
/// States are known by fingerprints of 128 bits, each with the state before it and the choice that led to it. Of the
/// values themselves only two levels are in memory: the frontier, and what follows it.
public struct Exploration: Sendable {
    /// The bounds of a search.
    public struct Limits: Sendable {
        /// Choices from the first state.
        public var depth: Int
        /// States.
        public var states: Int
        /// Bytes of memory of the process.
        public var bytes: Int
        /// Seconds.
        public var seconds: Double
        /// Threads.
        public var threads: Int
        /// Whether to begin at every moment of a rollout and a rollback without a fault, instead of before it only.
        public var isAlongRollout: Bool

        /// Bounds; a search without any ends when there is no new state.
        public init(
            depth: Int = .max, states: Int = .max, bytes: Int = 15 << 30, seconds: Double = .infinity, threads: Int = 1,
            isAlongRollout: Bool = false
        ) {
            self.depth = depth
            self.states = states
            self.bytes = bytes
            self.seconds = seconds
            self.threads = threads
            self.isAlongRollout = isAlongRollout
        }
    }

    /// What a search has found.
    public struct Result: Sendable {
        /// Different states.
        public var states = 0
        /// Events that were tried.
        public var events = 0
        /// States that the search began with.
        public var roots = 1
        /// Moments from which calm was tried.
        public var calms = 0
        /// The choices from the first state to the farthest ones all of whose predecessors were tried.
        public var depth = 0
        /// Whether every state was reached.
        public var isComplete = false
        /// The first violation, and how it came about.
        public var finding: Finding?
    }

    /// A violation with its shortest path.
    public struct Finding: Sendable {
        /// The invariant.
        public var invariant: Invariant
        /// What was found.
        public var detail: String
        /// What happened, one event in a line; what the machine did about it is indented.
        public var path: [String]
        /// The number of events.
        public var length: Int
    }

    /// A state that was found, with the number of the one before it.
    private struct Found: Sendable {
        var fingerprint: Fingerprint
        var moment: Moment
        var parent: UInt32
        var choice: Choice
    }

    /// A violation as a thread finds it.
    private struct Violated: Sendable {
        /// The state before it, and the choices since.
        var parent: UInt32
        var choices: [Choice]
        /// Whether it is in what the calm at the end has led to, and not in the last choice.
        var isEnd = false
        var invariant: Invariant
        var detail: String
    }

    /// What a thread has found from its part of the frontier.
    private struct Harvest: Sendable {
        var found: [Found] = []
        var events = 0
        var calms = 0
        var violation: Violated?
    }

    let world: SmallWorld
    let limits: Limits
    /// Called after each level with the result so far and the size of the frontier.
    let progress: @Sendable (Result, Int) -> Void

    /// A search through `world`.
    public init(
        _ world: SmallWorld, _ limits: Limits = Limits(),
        progress: @escaping @Sendable (Result, Int) -> Void = { _, _ in }
    ) {
        self.world = world
        self.limits = limits
        self.progress = progress
    }

    /// Searches until a check fails, all states are known, or a bound is reached.
    public func run() throws(WorkerThread.StartError) -> Result {
        let start = SystemClock.monotonicNanoseconds()
        var table = FingerprintTable()
        var result = Result()
        var frontier = beginning(&table)
        result.roots = frontier.count
        while !frontier.isEmpty, result.depth < limits.depth {
            var next: [(number: UInt32, moment: Moment)] = []
            var isCut = false
            // From the end, so that what was tried can be released.
            while !frontier.isEmpty, !isCut {
                let part = Array(frontier.suffix(Self.portion))
                frontier.removeLast(part.count)
                for harvest in try harvest(part, table) {
                    result.events += harvest.events
                    result.calms += harvest.calms
                    if let violation = harvest.violation {
                        result.states = table.count
                        result.finding = retell(violation, table)
                        return result
                    }
                    for found in harvest.found {
                        let number = table.insert(
                            found.fingerprint, parent: found.parent, choice: found.choice.code)
                        if let number { next.append((number, found.moment)) }
                    }
                }
                isCut = isOver(start, table.count)
            }
            result.states = table.count
            guard !isCut || frontier.isEmpty else { return result }
            result.depth += 1
            frontier = next
            progress(result, frontier.count)
            if isCut, !frontier.isEmpty { return result }
        }
        result.isComplete = frontier.isEmpty
        return result
    }

    /// The states to begin with: the first one, and perhaps those of a rollout and a rollback.
    private func beginning(_ table: inout FingerprintTable) -> [(number: UInt32, moment: Moment)] {
        var moment = Moment(world)
        var roots: [(number: UInt32, moment: Moment)] = []
        if let number = table.insert(moment.fingerprint(in: world), parent: 0, choice: 0) {
            roots.append((number, moment))
        }
        guard limits.isAlongRollout else { return roots }
        var parent: UInt32 = 0
        // Long enough for every service to be promoted, a trip of the first one, and the way back of all.
        for _ in 0..<1000 {
            guard let choice = moment.nextOfRollout(in: world) else { break }
            moment.take(choice, in: world)
            // The search finds it too.
            if moment.violation != nil { break }
            let number = table.insert(moment.fingerprint(in: world), parent: parent, choice: choice.code)
            // A state that was there before is part of a circle of readings.
            guard let number else { continue }
            parent = number
            roots.append((number, moment))
        }
        return roots
    }

    private static let portion = 8192

    private func isOver(_ start: Int64, _ states: Int) -> Bool {
        let seconds = Double(SystemClock.monotonicNanoseconds() - start) / 1e9
        return seconds > limits.seconds || states > limits.states || ProcessFigures.read().residentBytes > limits.bytes
    }

    /// Tries everything from each state of `part`, on several threads.
    private func harvest(
        _ part: [(number: UInt32, moment: Moment)], _ table: FingerprintTable
    ) throws(WorkerThread.StartError) -> [Harvest] {
        guard limits.threads > 1, part.count > 64 else { return [expand(part[...], table)] }
        let results = Mutex([Int: Harvest]())
        let size = (part.count + limits.threads - 1) / limits.threads
        let starts = Array(stride(from: 0, to: part.count, by: size))
        let workers = try starts.map { (start) throws(WorkerThread.StartError) in
            try WorkerThread("exploration") {
                let harvest = expand(part[start..<min(start + size, part.count)], table)
                results.withLock { $0[start] = harvest }
            }
        }
        for worker in workers { worker.join() }
        let all = results.withLock(\.self)
        return starts.compactMap { all[$0] }
    }

    private func expand(_ part: ArraySlice<(number: UInt32, moment: Moment)>, _ table: FingerprintTable) -> Harvest {
        var harvest = Harvest()
        for (number, moment) in part {
            if moment.owesShift(in: world) {
                harvest.calms += 1
                var end = moment
                let choices = end.calm(in: world)
                if let (invariant, detail) = end.violation {
                    harvest.violation = Violated(
                        parent: number, choices: choices, isEnd: true, invariant: invariant, detail: detail)
                    return harvest
                }
            }
            for choice in moment.choices(in: world) {
                let cuts = expand(number, moment, choice, &harvest, table)
                if cuts > 0 { expandCuts(cuts, number, moment, choice, &harvest, table) }
                if harvest.violation != nil { return harvest }
            }
        }
        return harvest
    }

    private func expandCuts(
        _ cuts: Int, _ number: UInt32, _ moment: Moment, _ choice: Choice, _ harvest: inout Harvest,
        _ table: FingerprintTable
    ) {
        guard moment.faults > 0 else { return }
        for cut in 1...cuts {
            for isStored in [false, true] {
                var ended = choice
                (ended.cut, ended.isStored) = (UInt8(min(cut, 127)), isStored)
                _ = expand(number, moment, ended, &harvest, table)
                if harvest.violation != nil { return }
            }
        }
    }

    private func expand(
        _ number: UInt32, _ moment: Moment, _ choice: Choice, _ harvest: inout Harvest, _ table: FingerprintTable
    ) -> Int {
        var next = moment
        let cuts = next.take(choice, in: world)
        // A fault that the event itself is leaves none for an end in the middle of it.
        guard next.faults >= 0 else { return 0 }
        harvest.events += 1
        if let (invariant, detail) = next.violation {
            harvest.violation = Violated(parent: number, choices: [choice], invariant: invariant, detail: detail)
            return 0
        }
        // Most measurements tell the machine nothing new.
        if choice.kind == .measure, next.isSame(as: moment) { return 0 }
        let fingerprint = next.fingerprint(in: world)
        if !table.contains(fingerprint) {
            harvest.found.append(Found(fingerprint: fingerprint, moment: next, parent: number, choice: choice))
        }
        return cuts
    }

    /// Repeats the path of a violation, in words.
    private func retell(_ violation: Violated, _ table: FingerprintTable) -> Finding {
        let choices = table.path(to: violation.parent) + violation.choices
        var moment = Moment(world)
        moment.trace = []
        for choice in choices {
            moment.note(choice.description(in: world))
            moment.take(choice, in: world)
        }
        if violation.isEnd { moment.note("nothing more happens") }
        return Finding(
            invariant: violation.invariant, detail: violation.detail, path: moment.trace ?? [], length: choices.count)
    }
}
