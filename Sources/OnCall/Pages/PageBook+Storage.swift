public import JSON
public import MetricModel

extension PageBook.Entry {
    /// The entry as it is stored.
    public var stored: JSON {
        [
            "page": page.stored, "problem": problem.stored,
            "notes": .array(
                notes.map { ["at": $0.at.stored, "by": .string($0.by), "text": .string($0.text)] as JSON }),
            "used_links": .array(usedLinks.map(JSON.string)), "actor": actor.map(JSON.string) ?? .null,
            "alarm": alarm.map { ["reason": .string($0.reason.rawValue), "since": $0.since.stored] } ?? .null,
            "closing": .array(closing.map(JSON.string)), "closing_failures": .integer(Int64(closingFailures)),
            "hold": hold?.stored ?? .null, "flapping": .bool(isFlapping), "wake": wakeAt?.stored ?? .null,
            "revision": .integer(revision),
        ]
    }

    /// Reads a stored entry; `nil` if it is malformed.
    public init?(stored json: JSON) {
        guard let page = json["page"].flatMap(Page.init(stored:)),
            let problem = json["problem"].flatMap(Problem.init(stored:)), problem.key == page.key,
            let revision = json["revision"]?.integer
        else { return nil }
        self.init(page: page, problem: problem)
        notes = (json["notes"]?.elements ?? []).compactMap { note in
            guard let at = Timestamp(stored: note["at"]), let by = note["by"]?.text, let text = note["text"]?.text
            else { return nil }
            return PageBook.Note(at: at, by: by, text: text)
        }
        usedLinks = (json["used_links"]?.elements ?? []).compactMap(\.text)
        actor = json["actor"]?.text
        if let reason = json["alarm"]?["reason"]?.text.flatMap(PageAlarm.Reason.init(rawValue:)),
            let since = Timestamp(stored: json["alarm"]?["since"])
        {
            alarm = PageAlarm(page: page.id, reason: reason, title: problem.title, since: since)
        }
        closing = (json["closing"]?.elements ?? []).compactMap(\.text)
        closingFailures = json["closing_failures"]?.integer.flatMap { Int(exactly: $0) } ?? 0
        // Entries of earlier versions have neither.
        hold = json["hold"].flatMap(PageBook.Hold.init(stored:))
        isFlapping = json["flapping"]?.bool ?? false
        wakeAt = Timestamp(stored: json["wake"])
        self.revision = revision
    }
}

extension PageBook.Hold {
    fileprivate var stored: JSON {
        switch self {
        case .child(let parent): ["child_of": .string(parent)]
        case .quiet(let since, let source): ["quiet_since": since.stored, "source": .string(source)]
        }
    }

    fileprivate init?(stored json: JSON) {
        if let parent = json["child_of"]?.text {
            self = .child(of: parent)
        } else if let since = Timestamp(stored: json["quiet_since"]), let source = json["source"]?.text {
            self = .quiet(since: since, source: source)
        } else {
            return nil
        }
    }
}

extension PageBook {
    /// One write to the journal: pages, overrides and browsers that changed, and ids of those that are forgotten. A
    /// value.
    public struct Record: Equatable, Sendable {
        /// The pages.
        public var entries: [Entry]
        /// The overrides.
        public var overrides: [PlannedOverride]
        /// The browsers.
        public var browsers: [Browser]
        /// Ids of forgotten pages, overrides and browsers.
        public var forgotten: [String]
        /// When it was written.
        public var at: Timestamp
        /// The epoch of the lease under which it was written; 0 without a lease.
        public var epoch: Int64

        /// A record.
        public init(
            entries: [Entry], overrides: [PlannedOverride] = [], browsers: [Browser] = [], forgotten: [String] = [],
            at: Timestamp, epoch: Int64 = 0
        ) {
            self.entries = entries
            self.overrides = overrides
            self.browsers = browsers
            self.forgotten = forgotten
            self.at = at
            self.epoch = epoch
        }

        private static let version: Int64 = 1

        /// Its bytes.
        public var payload: [UInt8] {
            let json: JSON = [
                "version": .integer(Self.version), "at": at.stored, "epoch": .integer(epoch),
                "entries": .array(entries.map(\.stored)),
                "overrides": .array(overrides.map(\.stored)), "browsers": .array(browsers.map(\.stored)),
                "forgotten": .array(forgotten.map(JSON.string)),
            ]
            return Array(json.encoded.utf8)
        }

        /// Reads a record; `nil` if it is malformed or of another version.
        public init?(payload: [UInt8]) {
            guard let json = try? JSON(parsing: payload), json["version"]?.integer == Self.version,
                let at = Timestamp(stored: json["at"]), let stored = json["entries"]?.elements,
                let forgotten = json["forgotten"]?.elements?.compactMap(\.text)
            else { return nil }
            let entries = stored.compactMap(Entry.init(stored:))
            // Records of earlier versions have neither overrides nor browsers.
            let storedOverrides = json["overrides"]?.elements ?? []
            let overrides = storedOverrides.compactMap(PlannedOverride.init(stored:))
            let storedBrowsers = json["browsers"]?.elements ?? []
            let browsers = storedBrowsers.compactMap(Browser.init(stored:))
            guard entries.count == stored.count, overrides.count == storedOverrides.count,
                browsers.count == storedBrowsers.count
            else { return nil }
            self.init(
                entries: entries, overrides: overrides, browsers: browsers, forgotten: forgotten, at: at,
                epoch: json["epoch"]?.integer ?? 0)
        }
    }

    /// Takes the place of what there is: the pages of `records`, the later of two copies. If the clock has gone back
    /// since the last record, delays go on from where they were.
    ///
    /// - Parameter records: in the order in which they were written; one of unknown time is of the distant past.
    public mutating func restored(_ records: [Record], at now: Timestamp) {
        var found: [String: Entry] = [:]
        var overrides: [String: PlannedOverride] = [:]
        var browsers: [String: Browser] = [:]
        for record in records {
            for browser in record.browsers {
                if let known = browsers[browser.id], known.revision > browser.revision { continue }
                browsers[browser.id] = browser
            }
            for override in record.overrides {
                if let known = overrides[override.id], known.revision > override.revision { continue }
                overrides[override.id] = override
            }
            for entry in record.entries {
                if let known = found[entry.page.id], known.revision > entry.revision { continue }
                found[entry.page.id] = entry
            }
            for id in record.forgotten {
                found[id] = nil
                overrides[id] = nil
                browsers[id] = nil
            }
        }
        // A problem has one open page. A second one can only come of two nodes that both acted: the newer one ends.
        var pages: [String: String] = [:]
        for entry in found.values.sorted(by: { ($0.page.openedAt, $0.page.id) < ($1.page.openedAt, $1.page.id) })
        where !entry.page.isResolved {
            if pages[entry.page.key] == nil {
                pages[entry.page.key] = entry.page.id
            } else {
                found[entry.page.id] = nil
            }
        }
        replaceAll(by: Array(found.values), Array(overrides.values), Array(browsers.values))
        expectHeartbeats(at: now)
        // The last one, not the latest time: a clock that was ahead for a while left later times in earlier records,
        // and pages have followed it back since.
        if let last = records.last(where: { $0.at != .distantPast })?.at, now < last { clockWasSet(by: now - last) }
    }

    /// Everything in one record.
    public func record(at now: Timestamp, epoch: Int64 = 0) -> Record {
        let (entries, overrides, browsers) = stored(ids)
        return Record(entries: entries, overrides: overrides, browsers: browsers, at: now, epoch: epoch)
    }
}
