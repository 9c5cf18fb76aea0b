public import MetricModel

/// Decides when one target is scraped. A value without IO: events in, actions out.
///
/// Scrapes lie on a grid of the interval, moved by an offset that differs from target to target. A scrape that takes
/// longer than the interval skips the moments it misses.
public struct ScrapeLoop: Equatable, Sendable {
    /// When to scrape.
    public struct Timing: Equatable, Sendable {
        /// Time from scrape to scrape; above zero.
        public var interval: Milliseconds
        /// The longest a scrape may take.
        public var timeout: Milliseconds
        /// Where in the interval the scrapes lie.
        public var offset: Milliseconds

        /// Scrapes every `interval`.
        public init(interval: Milliseconds, timeout: Milliseconds, offset: Milliseconds) {
            self.interval = interval
            self.timeout = timeout
            self.offset = offset
        }
    }

    /// What the loop is at.
    public enum State: Equatable, Sendable {
        /// Not started. To: `waiting`.
        case idle
        /// To: `scraping`, `leaving`.
        case waiting(due: Timestamp)
        /// To: `waiting`, `leavingAfterScrape`.
        case scraping
        /// The target is gone; its series end when it would have been scraped next. To: `ended`, `waiting`.
        case leaving(due: Timestamp)
        /// The target went while it was scraped. To: `leaving`, `scraping`.
        case leavingAfterScrape
        /// The series have ended.
        case ended
    }

    /// What the shell has to do.
    public enum Action: Equatable, Sendable {
        /// Call ``timerFired(_:at:)`` with `timer` at that time.
        case wake(at: Timestamp, timer: Int)
        /// Scrape, and append the samples at that time. Then call ``scrapeEnded(at:)``.
        case scrape(at: Timestamp, timeout: Milliseconds)
        /// Write staleness markers at that time and close the lane.
        case endSeries(at: Timestamp)
    }

    /// How late a timer may be for the sample still to get the time it was due at; keeps distances even, which
    /// compresses.
    public static let tolerance = Milliseconds.milliseconds(2)

    /// When to scrape.
    public private(set) var timing: Timing
    /// What the loop is at.
    public private(set) var state = State.idle
    private var timer = 0

    /// A loop that has not started.
    public init(_ timing: Timing) {
        self.timing = timing
    }

    /// The target was found.
    public mutating func started(at now: Timestamp) -> [Action] {
        guard state == .idle else { return [] }
        return wait(after: now)
    }

    /// A timer that was asked for has run out; outdated ones are ignored.
    public mutating func timerFired(_ timer: Int, at now: Timestamp) -> [Action] {
        guard timer == self.timer else { return [] }
        switch state {
        case .waiting(let due):
            state = .scraping
            let isPunctual = now >= due && now - due <= Self.tolerance && timing.interval > Self.tolerance * 100
            return [.scrape(at: isPunctual ? due : now, timeout: timing.timeout)]
        case .leaving(let due):
            state = .ended
            return [.endSeries(at: due)]
        case .idle, .scraping, .leavingAfterScrape, .ended: return []
        }
    }

    /// The scrape's samples, or its failure, are in the store.
    public mutating func scrapeEnded(at now: Timestamp) -> [Action] {
        switch state {
        case .scraping: return wait(after: now)
        case .leavingAfterScrape: return leave(after: now)
        case .idle, .waiting, .leaving, .ended: return []
        }
    }

    /// The configuration has changed.
    public mutating func timingChanged(_ timing: Timing, at now: Timestamp) -> [Action] {
        guard timing != self.timing else { return [] }
        self.timing = timing
        switch state {
        case .waiting: return wait(after: now)
        case .leaving: return leave(after: now)
        case .idle, .scraping, .leavingAfterScrape, .ended: return []
        }
    }

    /// The target is not there any more.
    public mutating func targetRemoved(at now: Timestamp) -> [Action] {
        switch state {
        case .waiting: return leave(after: now)
        case .scraping:
            state = .leavingAfterScrape
            return []
        case .idle:
            state = .ended
            return []
        case .leaving, .leavingAfterScrape, .ended: return []
        }
    }

    /// The target is back before its series have ended.
    public mutating func targetReturned(at now: Timestamp) -> [Action] {
        switch state {
        case .leaving: return wait(after: now)
        case .leavingAfterScrape:
            state = .scraping
            return []
        case .idle, .waiting, .scraping, .ended: return []
        }
    }

    private mutating func wait(after now: Timestamp) -> [Action] {
        let due = next(after: now)
        state = .waiting(due: due)
        timer += 1
        return [.wake(at: due, timer: timer)]
    }

    private mutating func leave(after now: Timestamp) -> [Action] {
        let due = next(after: now)
        state = .leaving(due: due)
        timer += 1
        return [.wake(at: due, timer: timer)]
    }

    /// The first moment of the grid after `now`.
    private func next(after now: Timestamp) -> Timestamp {
        let interval = timing.interval.rawValue
        let phase = (now.milliseconds - timing.offset.rawValue) % interval
        return now + Milliseconds(rawValue: interval - (phase < 0 ? phase + interval : phase))
    }
}
