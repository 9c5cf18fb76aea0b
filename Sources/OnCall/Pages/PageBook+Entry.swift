public import MetricModel

extension PageBook {
    /// A page with its problem and what people did.
    public struct Entry: Equatable, Sendable {
        /// The page.
        public internal(set) var page: Page
        /// The problem as its source described it last.
        public internal(set) var problem: Problem
        /// Remarks, the oldest first.
        public internal(set) var notes: [Note] = []
        /// The signed links that were used.
        public internal(set) var usedLinks: [String] = []
        /// Who acknowledged, snoozed or resolved it last.
        public internal(set) var actor: String?
        /// The alarm that was raised and not taken back.
        public internal(set) var alarm: PageAlarm?
        /// The receivers that had calls and have not heard yet that the page is resolved.
        public internal(set) var closing: [String] = []
        /// How often one of them has not taken it.
        public internal(set) var closingFailures = 0
        /// Why nobody is called although the page escalates; `nil` if people are called.
        public internal(set) var hold: Hold?
        /// Whether the problem comes and goes, so that its end does not end the page at once.
        public internal(set) var isFlapping = false
        /// When the machine has to look at it next; `nil` for not by itself.
        public internal(set) var wakeAt: Timestamp?
        /// Grows with each change, so that of two copies the newer one is known.
        public internal(set) var revision: Int64 = 0

        init(page: Page, problem: Problem) {
            self.page = page
            self.problem = problem
        }
    }

    /// Why nobody is called about a page for now. A value.
    public enum Hold: Equatable, Sendable {
        /// The page of something that the service needs is open.
        case child(of: String)
        /// The problem flaps, and is away since then; its source.
        case quiet(since: Timestamp, source: String)
    }

    /// A remark of a person.
    public struct Note: Equatable, Sendable {
        /// When it was made.
        public var at: Timestamp
        /// Who made it.
        public var by: String
        /// Its text.
        public var text: String
    }

    /// Something the shell has to do after it has stored the changes.
    public enum Action: Equatable, Sendable {
        /// Send the call.
        case call(Page.Call, Entry)
        /// Say to these receivers, which had calls, that the page is resolved.
        case sendResolved([String], Entry)
        /// Say to these receivers, which had calls, that somebody acts. Not repeated: it calls nobody.
        case sendAcknowledged([String], Entry)
        /// Send a digest.
        case sendDigest(DigestContent)
        /// Put it into the record.
        case record(PageEvent)
        /// Put it into the record.
        case recordSchedule(ScheduleEvent)
        /// Others must hear that people are not reached.
        case raise(PageAlarm)
        /// An alarm is over.
        case takeBack(PageAlarm)
    }
}
