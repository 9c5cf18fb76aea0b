public import MetricModel

/// Decides when one target is scraped. A machine without IO: events in, actions out.
///
/// Scrapes are a multiple of the interval apart, shifted by an offset that depends on the target. A scrape that takes
/// longer than the interval skips the times that it misses.
public struct ScrapeLoop: Equatable, Sendable {
    /// The times of scrapes.
    public struct Timing: Equatable, Sendable {
        /// Time between scrapes; greater than zero.
        public var interval: Milliseconds
        /// Timeout of a scrape.
        public var timeout: Milliseconds
        /// The offset of the scrapes in the interval.
        public var offset: Milliseconds

        /// Scrapes every `interval`.
        public init(interval: Milliseconds, timeout: Milliseconds, offset: Milliseconds) {
            self.interval = interval
            self.timeout = timeout
            self.offset = offset
        }
    }

    /// The state of the loop.
    public enum State: Equatable, Sendable {
        /// Not started. Next: `waiting`.
        case idle
        /// Next: `scraping`, `leaving`.
        case waiting(due: Timestamp)
        /// Next: `waiting`, `leavingAfterScrape`.
        case scraping
        /// The target was removed. Its series end at the time of its next scrape. Next: `ended`, `waiting`.
        case leaving(due: Timestamp)
        /// The target was removed during a scrape. Next: `leaving`, `scraping`.
        case leavingAfterScrape
        /// The series have ended.
        case ended
    }

    /// An action for the shell.
    public enum Action: Equatable, Sendable {
        /// Call ``timerFired(_:at:)`` with `timer` at that time.
        case wake(at: Timestamp, timer: Int)
        /// Scrape, and append the samples at that time. Then call ``scrapeEnded(at:)``.
        case scrape(at: Timestamp, timeout: Milliseconds)
        /// Write staleness markers at that time and close the lane.
        case endSeries(at: Timestamp)
    }

    /// If a timer is late by at most this, the samples still get the time at which they were due. Equal distances
    /// compress better.
    public static let tolerance = Milliseconds.milliseconds(2)

    /// The times of scrapes.
    public private(set) var timing: Timing
    /// The state of the loop.
    public private(set) var state = State.idle
    private var timer = 0

    /// A loop that has not started.
    public init(_ timing: Timing) {
        self.timing = timing
    }

    /// The target was added.
    public mutating func started(at now: Timestamp) -> [Action] {
        guard state == .idle else { return [] }
        return wait(after: now)
    }

    /// A timer fired. Timers that were replaced are ignored.
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

    /// The samples of the scrape, or its failure, were stored.
    public mutating func scrapeEnded(at now: Timestamp) -> [Action] {
        switch state {
        case .scraping: return wait(after: now)
        case .leavingAfterScrape: return leave(after: now)
        case .idle, .waiting, .leaving, .ended: return []
        }
    }

    /// The configuration changed.
    public mutating func timingChanged(_ timing: Timing, at now: Timestamp) -> [Action] {
        guard timing != self.timing else { return [] }
        self.timing = timing
        switch state {
        case .waiting: return wait(after: now)
        case .leaving: return leave(after: now)
        case .idle, .scraping, .leavingAfterScrape, .ended: return []
        }
    }

    /// The target was removed.
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

    /// The target was added again before its series ended.
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

    /// The first scrape time after `now`.
    private func next(after now: Timestamp) -> Timestamp {
        let interval = timing.interval.rawValue
        let phase = (now.milliseconds - timing.offset.rawValue) % interval
        return now + Milliseconds(rawValue: interval - (phase < 0 ? phase + interval : phase))
    }
}
