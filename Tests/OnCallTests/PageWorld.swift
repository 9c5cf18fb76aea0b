import MetricModel
import TestSupport

@testable import OnCall

/// A mistake that the world's shell can make; the invariants must find each.
enum PageDefect: String, CaseIterable {
    /// Carries actions out before it stores what changed.
    case callsBeforeStoring
    /// Does not store that a call was delivered.
    case forgetsDeliveries
    /// Does not store answers of people.
    case forgetsAnswers
    /// Sends what waits without asking whether it is still wanted.
    case sendsUnasked
    /// Sends although another node acts.
    case sendsWithoutLease
    /// Drops alarms.
    case losesAlarms
    /// Does not notice that the clock was set.
    case ignoresTheClock
    /// Does not report that a call failed.
    case losesFailures
    /// Forgets a page when the configuration is read again.
    case losesPagesInReloads
}

/// A process with a disk, receivers, people and a clock, each of which fails at random: a world around ``PageBook``
/// that does what `OnCallRunner` does, and judges by a model of its own.
struct PageWorld {
    /// What the world knows of a page without the machine.
    private struct Truth {
        var opened: Int64
        /// Nobody may be called before this steady time; `nil` for anybody may.
        var quietUntil: Int64?
        /// The same by the wall clock, for a snooze.
        var snoozedUntil: Int64?
        var isResolved = false
        /// Whether only time and receivers have touched it, so that its steps fire when the policy says.
        var isUntouched = true
        var hasAlarm = false
        /// Nobody may be called: the page of something needed is open, or the problem is away for now.
        var isHeld = false
        /// The calls of each step and contact, by their numbers.
        var numbers: [String: Set<Int>] = [:]
        /// The step and contact that each number stands for.
        var contacts: [Int: String] = [:]
        var settled: Set<Int> = []
    }

    private struct Job {
        var page: String
        var call: Page.Call
        var epoch: Int
    }

    static let policy = EscalationPolicy(
        name: "p",
        steps: [
            .init(delay: .zero, targets: [.person("ada")]),
            .init(delay: .minutes(5), targets: [.schedule("nobody"), .receiver("lead")]),
            .init(delay: .minutes(15), targets: [.schedule("nobody")]),
            .init(delay: .minutes(30), targets: [.receiver("director")]),
        ], repeats: 1, roundLength: .hours(1), acknowledgementTimeout: .minutes(40))

    static var roster: Roster {
        var roster = Roster()
        roster.people["ada"] = .init(
            name: "ada",
            contacts: [.init(receiver: "push", delay: .zero), .init(receiver: "phone", delay: .minutes(4))])
        roster.policies["p"] = policy
        roster.dependencies = ["k1": ["k0"], "k2": ["k1"]]
        roster.flapping = .init(pages: 3, window: .hours(6), quiet: .minutes(20))
        return roster
    }

    /// The most time that passes before the process looks at the clock.
    private static let lateness: Int64 = 90_000

    private let defect: PageDefect?
    private var random: SeededGenerator
    private var book = PageBook(PageWorld.roster)
    /// What is on disk.
    private var disk: [String: PageBook.Entry] = [:]
    private var diskAt = Timestamp(milliseconds: 0)
    private var jobs: [Job] = []
    private var epoch = 1
    private var steady: Int64 = 1_000_000_000
    private var offset: Int64 = 0
    /// What the process takes for the offset, and what it took for it when it last stored something.
    private var knownOffset: Int64 = 0
    private var diskOffset: Int64 = 0
    private var truth: [String: Truth] = [:]
    private var pages = 0
    private(set) var faults: [String] = []
    private(set) var steps = 0
    private(set) var sent = 0

    init(seed: UInt64, defect: PageDefect? = nil) {
        random = SeededGenerator(seed: seed)
        self.defect = defect
    }

    private var now: Timestamp { Timestamp(milliseconds: steady + knownOffset) }

    /// Runs `count` steps, or until something is wrong.
    mutating func run(_ count: Int) {
        for _ in 0..<count where faults.isEmpty {
            steps += 1
            step()
            judge()
        }
    }

    private mutating func step() {
        followClock()
        switch Int.random(in: 0..<40, using: &random) {
        case 0..<12: passTime()
        case 12..<24: deliver()
        case 24, 25: trigger()
        case 26: end()
        case 27..<32: answer()
        case 32: crash(downtime: Int64.random(in: 0..<400_000, using: &random))
        case 33: failOver()
        case 34: setClock()
        case 35: reload()
        default: break
        }
    }

    // MARK: The shell

    private mutating func followClock() {
        guard defect != .ignoresTheClock else {
            knownOffset = offset
            return
        }
        let jump = offset - knownOffset
        guard jump != 0 else { return }
        knownOffset = offset
        perform { book, _ in
            book.clockWasSet(by: Milliseconds(rawValue: jump))
            return []
        }
    }

    /// One event: step, store, carry out, with a crash between any two.
    private mutating func perform(_ event: (inout PageBook, Timestamp) -> [PageBook.Action]) {
        let actions = event(&book, now)
        let crashes = Int.random(in: 0..<60, using: &random)
        if defect == .callsBeforeStoring {
            let waiting = jobs.count
            carryOut(actions)
            // Some are on their way before anything is stored.
            if crashes == 0, jobs.count > waiting { for job in jobs[waiting...] { judge(job, isTaken: true) } }
        }
        if crashes == 0 { return crash(downtime: 1000) }
        store()
        if crashes == 1 { return crash(downtime: 1000) }
        if defect != .callsBeforeStoring { carryOut(actions) }
    }

    private mutating func store() {
        let (changed, _, _, forgotten) = book.takeChanges()
        for entry in changed { disk[entry.page.id] = entry }
        for id in forgotten { disk[id] = nil }
        diskAt = now
        diskOffset = knownOffset
    }

    private mutating func carryOut(_ actions: [PageBook.Action]) {
        for action in actions {
            switch action {
            case .call(let call, let entry): jobs.append(Job(page: entry.page.id, call: call, epoch: epoch))
            case .sendResolved(let receivers, let entry):
                for receiver in receivers { book.closed(entry.page.id, at: receiver, hasTakenIt: true, at: now) }
                store()
            case .raise(let alarm) where defect != .losesAlarms: truth[alarm.page]?.hasAlarm = true
            case .takeBack(let alarm): truth[alarm.page]?.hasAlarm = false
            case .raise, .record, .recordSchedule, .sendAcknowledged, .sendDigest: break
            }
        }
    }

    /// Everything in memory is gone; the next process reads the disk.
    private mutating func crash(downtime: Int64) {
        jobs.removeAll { $0.epoch == epoch }
        restart(downtime: downtime)
    }

    /// Another node reads what is stored. What the former one was about to send may still go out, unless it asks.
    private mutating func failOver() { restart(downtime: Int64.random(in: 0..<60_000, using: &random)) }

    private mutating func restart(downtime: Int64) {
        epoch += 1
        steady += downtime
        // A clock that was set forward cannot be told from a longer time without a process.
        let unnoticed = max(0, offset - diskOffset)
        for (id, page) in truth {
            if let quiet = page.quietUntil, quiet != .max { truth[id]?.quietUntil = quiet - unnoticed }
        }
        knownOffset = offset
        for page in truth.keys { truth[page]?.isUntouched = false }
        book = PageBook(Self.roster)
        book.restored([PageBook.Record(entries: Array(disk.values), at: diskAt)], at: now)
        store()
        // Nobody outside remembers an alarm either.
        for id in truth.keys { truth[id]?.hasAlarm = false }
        carryOut(book.resumed())
    }

    // MARK: What happens

    private mutating func passTime() {
        let wait = book.wakeAt.map { max(0, ($0 - now).rawValue) } ?? 600_000
        let passed =
            Bool.random(using: &random)
            ? wait + Int64.random(in: 0..<Self.lateness / 2, using: &random)
            : Int64.random(in: 0...max(1, min(wait, 3_600_000)), using: &random)
        steady += min(passed, 6 * 3_600_000)
        perform { $0.clockReached($1) }
    }

    private mutating func trigger() {
        pages += 1
        let key = "k\(Int.random(in: 0..<4, using: &random))"
        let id = "p\(pages)"
        let isNew = book.openPage(of: key) == nil
        let before = steady
        perform {
            $0.triggered(
                Problem(key: key, title: key, source: "s", labels: ["service": key], policy: "p"), id: id, at: $1)
        }
        if isNew, book.entries[id] != nil {
            truth[id] = Truth(opened: before, hasAlarm: book.entries[id]?.alarm != nil && defect != .losesAlarms)
        }
    }

    private mutating func end() {
        guard let id = openPages.randomElement(using: &random), let key = book.entries[id]?.page.key else { return }
        perform { $0.ended(key, by: "s", at: $1) }
        noteAnswer(id)
    }

    private var openPages: [String] { book.entries.values.filter { !$0.page.isResolved }.map(\.page.id).sorted() }

    private mutating func answer() {
        guard let id = openPages.randomElement(using: &random) else { return }
        let actor = PageActor(identity: "ada", method: "token")
        let verb: PageOrder.Verb =
            switch Int.random(in: 0..<8, using: &random) {
            case 0, 1, 2: .acknowledge
            case 3: .snooze(until: now + .minutes(Int64.random(in: 1...50, using: &random)))
            case 4: .reassign(Bool.random(using: &random) ? .policy("p") : .person("ada"))
            case 5: .escalate
            case 6: .resolve
            default: .note("n")
            }
        let link = Bool.random(using: &random) ? "\(Int.random(in: 0..<3, using: &random))" : nil
        if defect == .forgetsAnswers {
            let (_, actions) = book.ordered(PageOrder(verb, by: actor, link: link), page: id, at: now)
            _ = book.takeChanges()
            carryOut(actions)
        } else {
            perform { $0.ordered(PageOrder(verb, by: actor, link: link), page: id, at: $1).actions }
        }
        noteAnswer(id)
    }

    /// The world knows of an answer when its sender has heard that it counts: it is stored.
    private mutating func noteAnswer(_ id: String) {
        guard let entry = book.entries[id] else { return }
        guard var page = truth[id] else { return }
        page.isUntouched = false
        (page.quietUntil, page.snoozedUntil) = (nil, nil)
        switch entry.page.state {
        case .escalating: break
        case .acknowledged(_, let until): page.quietUntil = until.map { $0.milliseconds - knownOffset } ?? .max
        case .snoozed(_, let until): page.snoozedUntil = until.milliseconds
        case .resolved: page.isResolved = true
        }
        truth[id] = page
    }

    private mutating func setClock() { offset += Int64.random(in: -7_200_000...7_200_000, using: &random) }

    private mutating func reload() {
        var roster = Self.roster
        switch Int.random(in: 0..<4, using: &random) {
        case 0: roster.policies = [:]
        case 1: roster.people = [:]
        default: break
        }
        if defect == .losesPagesInReloads {
            for (id, entry) in book.entries where !entry.page.isResolved { disk[id] = nil }
            book = PageBook(roster)
        }
        if roster != Self.roster { for id in truth.keys { truth[id]?.isUntouched = false } }
        perform { $0.reconfigured(roster, at: $1) }
        perform { $0.reconfigured(Self.roster, at: $1) }
    }

    private mutating func deliver() {
        guard !jobs.isEmpty else { return }
        let job = jobs.remove(at: Int.random(in: 0..<jobs.count, using: &random))
        if job.epoch != epoch, defect != .sendsWithoutLease { return }
        let isWanted = book.entries[job.page]?.page.outstanding.contains { $0.number == job.call.number } ?? false
        if !isWanted, defect != .sendsUnasked, job.epoch == epoch { return }
        sent += 1
        let result = Int.random(in: 0..<10, using: &random)
        judge(job, isTaken: result >= 4)
        // The process may end before it knows the result.
        if Int.random(in: 0..<30, using: &random) == 0 { return crash(downtime: 1000) }
        guard job.epoch == epoch else { return }
        if result >= 4 {
            if defect == .forgetsDeliveries {
                _ = book.called(job.call.number, page: job.page, at: now)
                _ = book.takeChanges()
            } else {
                perform { $0.called(job.call.number, page: job.page, at: $1) }
                // A crash before it was stored: the next process cannot know.
                let isUnknown = disk[job.page]?.page.outstanding.contains { $0.number == job.call.number }
                if isUnknown == true { return }
            }
            truth[job.page]?.settled.insert(job.call.number)
        } else if defect != .losesFailures {
            perform {
                $0.callFailed(job.call.number, page: job.page, reason: "refused", isFinal: result == 0, at: $1)
            }
        }
    }

    // MARK: The judge

    private mutating func judge(_ job: Job, isTaken: Bool) {
        guard let page = truth[job.page] else { return }
        let call = job.call
        let name = "page \(job.page), call \(call.number)"
        if page.settled.contains(call.number) { faults.append("\(name) is sent again after its delivery was known") }
        let contact = "\(call.position.escalation)/\(call.position.step)/\(call.person ?? "")/\(call.receiver)"
        truth[job.page]?.numbers[contact, default: []].insert(call.number)
        if page.contacts[call.number, default: contact] != contact { faults.append("\(name) stands for two messages") }
        truth[job.page]?.contacts[call.number] = contact
        if let count = truth[job.page]?.numbers[contact]?.count, count > 1 {
            faults.append("\(name): its step fired twice")
        }
        if page.isHeld { faults.append("\(name) is sent while its page is held") }
        if page.isResolved { faults.append("\(name) is sent after the resolution") }
        if let quiet = page.quietUntil, steady < quiet { faults.append("\(name) is sent after an acknowledgement") }
        if let snoozed = page.snoozedUntil, steady + offset < snoozed { faults.append("\(name) is sent in a snooze") }
        if page.isUntouched, call.failures == 0 {
            let (round, step) = call.position.step.quotientAndRemainder(dividingBy: Self.policy.steps.count)
            let due =
                page.opened + Self.policy.roundLength.rawValue * Int64(round) + Self.policy.steps[step].delay.rawValue
            if steady < due { faults.append("\(name) is sent \(due - steady) ms early") }
        }
    }

    /// Answers that ran out count no more, from when the machine has seen that on.
    private mutating func noteEndsOfAnswers() {
        for (id, entry) in book.entries where entry.page.state == .escalating {
            if let quiet = truth[id]?.quietUntil, quiet <= steady { truth[id]?.quietUntil = nil }
            if let snoozed = truth[id]?.snoozedUntil, snoozed <= steady + offset { truth[id]?.snoozedUntil = nil }
        }
    }

    private mutating func judge() {
        noteEndsOfAnswers()
        for (id, entry) in book.entries {
            truth[id]?.isHeld = entry.hold != nil
            if entry.hold != nil { truth[id]?.isUntouched = false }
        }
        faults += book.checkInvariants()
        for (id, page) in truth where !page.isResolved {
            guard let entry = book.entries[id] else {
                faults.append("page \(id) is lost")
                continue
            }
            guard entry.page.state == .escalating else { continue }
            // Somebody is called, will be, or it is an alarm.
            let isSending = entry.page.outstanding.contains { call in
                jobs.contains { $0.page == id && $0.call.number == call.number && $0.epoch == epoch }
            }
            if case .child(let parent) = entry.hold, book.entries[parent]?.page.isResolved == false { continue }
            if !isSending, entry.wakeAt == nil, !page.hasAlarm { faults.append("page \(id): nobody is called") }
            let waiting = entry.page.outstanding.filter { call in
                !jobs.contains { $0.page == id && $0.call.number == call.number && $0.epoch == epoch }
            }
            if !waiting.isEmpty { faults.append("page \(id): call \(waiting[0].number) is neither sent nor given up") }
            // All rounds of an untouched page are over: that must have been said.
            let end = page.opened + Self.policy.roundLength.rawValue * Int64(Self.policy.repeats + 1)
            if page.isUntouched, steady > end + Self.lateness + 6 * 3_600_000, !page.hasAlarm {
                faults.append("page \(id) is unanswered, and no alarm says so")
            }
        }
    }
}
