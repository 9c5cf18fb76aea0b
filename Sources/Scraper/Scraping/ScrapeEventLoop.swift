internal import CurlHTTP
internal import Instrumentation
internal import MetricModel
internal import Runtime
internal import Synchronization

/// One scraping thread: the deadlines and connections of its targets, and storing what is stored quickly.
///
/// A scrape with a small, predicted body is started, received and stored here, without another thread. Anything that
/// could delay other targets goes to the workers.
struct ScrapeEventLoop {
    private let multiplexer: HTTPMultiplexer
    private var deadlines = DeadlineQueue<(RunningTarget, timer: Int)>()
    /// By token; `nil` for a free token.
    private var inHand: [ScrapeInHand?] = []
    private var freeTokens: [Int] = []

    init(_ multiplexer: HTTPMultiplexer) {
        self.multiplexer = multiplexer
    }

    /// Runs until the inbox is closed.
    mutating func run(_ inbox: ScrapeInbox, _ runner: ScrapeRunner) {
        while let wakes = inbox.takeAll() {
            inbox.pulse.answer()
            for wake in wakes { deadlines.insert((wake.target, wake.timer), at: wake.deadline) }
            while let (target, timer) = deadlines.popFirst(notAfter: SystemClock.monotonicNanoseconds()) {
                perform(target.step { $0.timerFired(timer, at: .now) }, target, runner)
            }
            multiplexer.run(until: deadlines.next ?? .max) { token, result in finish(token, result, runner) }
        }
        // The results of cancelled requests are not needed.
        multiplexer.cancelAll { _, _ in }
    }

    private mutating func perform(_ actions: [ScrapeLoop.Action], _ target: RunningTarget, _ runner: ScrapeRunner) {
        for action in actions {
            switch action {
            case .wake(let time, let timer): deadlines.insert((target, timer), at: time.monotonicDeadline)
            case .scrape(let time, let timeout): scrape(target, at: time, timeout: timeout, runner)
            case .endSeries(let time): runner.work.send(.end(target, at: time))
            }
        }
    }

    private mutating func scrape(
        _ target: RunningTarget, at time: Timestamp, timeout: Milliseconds, _ runner: ScrapeRunner
    ) {
        let began = SystemClock.monotonicNanoseconds()
        runner.metrics.lateness.observe(max(0, (Timestamp.now - time).seconds))
        let hand = ScrapeInHand(target: target, time: time, began: began)
        do throws(HTTPFailure) {
            let (request, bodyBytes) = try runner.request(target, timeout: timeout)
            multiplexer.start(request, token: keep(hand), expectedBodyBytes: bodyBytes + bodyBytes / 32)
        } catch {
            store(hand, .failure(error), runner)
        }
    }

    private mutating func keep(_ hand: ScrapeInHand) -> Int {
        guard let token = freeTokens.popLast() else {
            inHand.append(hand)
            return inHand.count - 1
        }
        inHand[token] = hand
        return token
    }

    private mutating func finish(
        _ token: Int, _ result: consuming Result<HTTPResponse, HTTPFailure>, _ runner: ScrapeRunner
    ) {
        guard let hand = inHand[token] else { return }
        inHand[token] = nil
        freeTokens.append(token)
        store(hand, result, runner)
    }

    private mutating func store(
        _ hand: ScrapeInHand, _ result: consuming Result<HTTPResponse, HTTPFailure>, _ runner: ScrapeRunner
    ) {
        var received = ScrapeAnswer(result)
        guard let actions = runner.store(hand, &received, .quick) else {
            runner.handOver(hand, received)
            return
        }
        multiplexer.recycle(received.takeBody())
        perform(actions, hand.target, runner)
    }
}

/// A scrape in progress.
struct ScrapeInHand: Sendable {
    var target: RunningTarget
    /// The timestamp of its samples.
    var time: Timestamp
    /// The start, in nanoseconds of the monotonic clock.
    var began: Int64
}

extension Timestamp {
    /// The wall clock.
    static var now: Timestamp { Timestamp(milliseconds: SystemClock.wallMilliseconds()) }

    /// The monotonic clock, in nanoseconds, when the wall clock shows this time.
    var monotonicDeadline: Int64 {
        let now = SystemClock.wallNanoseconds()
        // The start of the due millisecond: the elapsed part of the current one is subtracted.
        return SystemClock.monotonicNanoseconds(in: milliseconds - now / 1_000_000) - now % 1_000_000
    }
}
