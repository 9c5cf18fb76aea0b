public import MetricModel

/// How much pages disturb, and how much of it was worth it: counts over what happened to pages. A value.
public struct NoiseReport: Equatable, Sendable {
    /// One thing that happened to a page, from the record.
    public struct Happening: Equatable, Sendable {
        /// The page.
        public var page: String
        /// The word for it: `opened`, `called`, `acknowledged`, `resolved`, …
        public var state: String
        /// When.
        public var at: Timestamp
        /// The alert of the page.
        public var subject: String

        /// A happening.
        public init(page: String, state: String, at: Timestamp, subject: String) {
            self.page = page
            self.state = state
            self.at = at
            self.subject = subject
        }
    }

    /// The pages of one alert.
    public struct Row: Equatable, Sendable {
        /// The alert.
        public var subject: String
        /// Pages that were opened.
        public var pages = 0
        /// Calls that receivers took.
        public var calls = 0
        /// Pages that somebody answered: acknowledged, snoozed, reassigned or escalated, or a note.
        public var answered = 0
        /// Pages that somebody answered within the time asked about.
        public var answeredInTime = 0
        /// Pages that ended without an answer: nobody had to act on them.
        public var endedUnanswered = 0
        /// Pages that ended within five minutes.
        public var short = 0
        /// Pages about which nobody was called, because the page of something that the service needs was open.
        public var held = 0
        /// Pages whose problem came and went, so that they stayed open.
        public var flapping = 0
        /// Pages for each seven days.
        public var perWeek = 0.0
        /// The median time to the first answer; `nil` if there was none.
        public var medianAnswer: Milliseconds?
    }

    /// A row per alert, that with the most pages first.
    public let rows: [Row]

    private struct Page {
        var subject: String
        var opened: Timestamp
        var answered: Timestamp?
        var resolved: Timestamp?
        var calls = 0
        var isHeld = false
        var isFlapping = false
    }

    private static let answers: Set<String> = ["acknowledged", "snoozed", "reassigned", "escalated", "noted"]
    private static let short = Milliseconds.minutes(5)
    private static let week = Double(Milliseconds.hours(24 * 7).rawValue)

    /// The report of `happenings`, in any order. Pages that were opened before them are left out.
    ///
    /// - Parameters:
    ///   - span: the time that they are of.
    ///   - limit: how soon an answer comes in time.
    public init(_ happenings: [Happening], over span: Milliseconds, answeredWithin limit: Milliseconds) {
        var pages: [String: Page] = [:]
        for happening in happenings.sorted(by: { $0.at < $1.at }) {
            if happening.state == "opened" {
                pages[happening.page] = Page(subject: happening.subject, opened: happening.at)
            } else if happening.state == "called" {
                pages[happening.page]?.calls += 1
            } else if happening.state == "held" {
                pages[happening.page]?.isHeld = true
            } else if happening.state == "flapping" {
                pages[happening.page]?.isFlapping = true
            } else if happening.state == "resolved" {
                pages[happening.page]?.resolved = happening.at
            } else if Self.answers.contains(happening.state), pages[happening.page]?.answered == nil {
                pages[happening.page]?.answered = happening.at
            }
        }
        let bySubject = Dictionary(grouping: pages.values, by: \.subject)
        rows = bySubject.map { subject, pages in
            var row = Row(subject: subject)
            row.pages = pages.count
            row.calls = pages.reduce(0) { $0 + $1.calls }
            row.answered = pages.count { $0.answered != nil }
            row.answeredInTime = pages.count { page in page.answered.map { $0 - page.opened <= limit } ?? false }
            row.held = pages.count { $0.isHeld }
            row.flapping = pages.count { $0.isFlapping }
            row.perWeek = Double(pages.count) * Self.week / max(1, Double(span.rawValue))
            row.endedUnanswered = pages.count { $0.resolved != nil && $0.answered == nil }
            row.short = pages.count { page in page.resolved.map { $0 - page.opened <= Self.short } ?? false }
            let times = pages.compactMap { page in page.answered.map { $0 - page.opened } }.sorted()
            row.medianAnswer = times.isEmpty ? nil : times[times.count / 2]
            return row
        }.sorted { ($1.pages, $0.subject) < ($0.pages, $1.subject) }
    }
}
