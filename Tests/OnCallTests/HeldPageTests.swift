import MetricModel
import Testing
import YAML

@testable import OnCall

@Suite struct HeldPageTests {
    private static let file = """
        people: [{name: ada, contacts: [{receiver: push}]}]
        policies:
        - {name: p, steps: [{notify: [{person: ada}]}, {after: 5m, notify: [{receiver: lead}]}]}
        - {name: quiet, expects_answer: false, steps: [{notify: [{receiver: chat}]}]}
        dependencies:
        - {service: pgc, needs: [auth]}
        - {service: web, needs: [pgc]}
        flapping: {pages: 3, within: 1h, quiet: 20m}
        """

    private func book(_ text: String = Self.file) throws -> PageBook {
        PageBook(try OnCallConfiguration(YAML.parse(Array(text.utf8), file: "o.yml")[0], file: "o.yml").roster)
    }

    private func minute(_ minute: Int64) -> Timestamp { Timestamp(milliseconds: 1_700_000_000_000) + .minutes(minute) }

    private func problem(_ service: String, severity: String = "critical", policy: String = "p") -> Problem {
        Problem(
            key: "k-\(service)", title: service, severity: severity, source: "s", labels: ["service": service],
            policy: policy)
    }

    private func called(_ actions: [PageBook.Action]) -> [String] {
        actions.compactMap {
            if case .call(let call, let entry) = $0 { "\(entry.page.id) \(call.receiver)" } else { nil }
        }
    }

    @Test func `a clock that was ahead for a while and is back fires no step early after a restart`() throws {
        var book = try book()
        _ = book.triggered(problem("auth"), id: "a", at: minute(0))
        var records = [book.record(at: minute(0))]
        // Two hours ahead, where a record is written, and back again.
        book.clockWasSet(by: .hours(2))
        records.append(book.record(at: minute(121)))
        book.clockWasSet(by: Milliseconds(rawValue: -2 * 3_600_000))
        records.append(book.record(at: minute(2)))
        var restarted = try self.book()
        restarted.restored(records, at: minute(3))
        #expect(called(restarted.clockReached(minute(4))) == [] && restarted.wakeAt == minute(5))
        #expect(called(restarted.clockReached(minute(5))) == ["a lead"])
        // One that goes back while nothing runs moves delays along, also beside shared pages of unknown time.
        let shared = PageBook.Record(entries: [], at: .distantPast)
        var later = try self.book()
        later.restored(records + [shared], at: minute(-58))
        #expect(later.wakeAt == minute(-55))
    }

    @Test func `the next call is shown while there is one, and not where a page only waits for its end`() throws {
        var book = try book()
        func next(_ id: String) -> Timestamp? { book.entries[id].flatMap { book.nextCall(of: $0) } }
        _ = book.triggered(problem("auth"), id: "a", at: minute(0))
        #expect(next("a") == minute(5))
        _ = book.clockReached(minute(5))
        // The last step has fired; what follows is that nobody answered.
        #expect(next("a") == nil && book.entries["a"]?.wakeAt != nil)
        _ = book.triggered(problem("other", policy: "quiet"), id: "q", at: minute(6))
        #expect(next("q") == nil)
        _ = book.triggered(problem("pgc"), id: "b", at: minute(7))
        #expect(next("b") == nil)
        _ = book.ended("k-auth", by: "s", at: minute(10))
        #expect(next("b") == minute(12))
        let order = PageOrder(.acknowledge, by: PageActor(identity: "ada", method: "token"))
        _ = book.ordered(order, page: "b", at: minute(11))
        #expect(next("b") == nil)
    }

    private func recorded(_ actions: [PageBook.Action]) -> [String] {
        actions.compactMap { if case .record(let event) = $0 { "\(event.page) \(event.kind.rawValue)" } else { nil } }
    }

    @Test func `while auth has a page, one of pgc calls nobody, and it calls two minutes after the end of auth's`()
        throws
    {
        var book = try book()
        #expect(called(book.triggered(problem("auth"), id: "a", at: minute(0))) == ["a push"])
        let held = book.triggered(problem("pgc"), id: "b", at: minute(1))
        #expect(called(held) == [] && recorded(held) == ["b opened", "b held"])
        #expect(book.children(of: "a") == ["b"])
        // Through pgc, which needs it; the first page that holds it is its parent.
        #expect(called(book.triggered(problem("web"), id: "c", at: minute(1))) == [])
        #expect(called(book.triggered(problem("other"), id: "d", at: minute(1))) == ["d push"])
        #expect(called(book.clockReached(minute(6))) == ["a lead", "d lead"])
        #expect(book.checkInvariants() == [])

        let ended = book.ended("k-auth", by: "s", at: minute(10))
        #expect(called(ended) == [] && recorded(ended) == ["a resolved", "b released", "c held"])
        #expect(book.children(of: "b") == ["c"])
        #expect(called(book.clockReached(minute(11))) == [])
        #expect(called(book.clockReached(minute(12))) == ["b push"])
        #expect(called(book.clockReached(minute(17))) == ["b lead"])
        #expect(book.checkInvariants() == [])
    }

    @Test func `a page of pgc that came first stops calling when auth has one, unless somebody has it`() throws {
        var book = try book()
        _ = book.triggered(problem("pgc"), id: "b", at: minute(0))
        let held = book.triggered(problem("auth"), id: "a", at: minute(1))
        #expect(recorded(held) == ["a opened", "b held"] && called(held) == ["a push"])
        #expect(book.entries["b"]?.page.outstanding == [] && called(book.clockReached(minute(5))) == [])

        var other = try self.book()
        _ = other.triggered(problem("pgc"), id: "b", at: minute(0))
        let actor = PageActor(identity: "ada", method: "token")
        _ = other.ordered(PageOrder(.acknowledge, by: actor), page: "b", at: minute(1))
        #expect(recorded(other.triggered(problem("auth"), id: "a", at: minute(2))) == ["a opened"])
        #expect(other.children(of: "a") == [])
    }

    @Test func `a more severe problem, and one below a page that calls nobody, calls for itself`() throws {
        var book = try book()
        _ = book.triggered(problem("auth", severity: "warning"), id: "a", at: minute(0))
        #expect(called(book.triggered(problem("pgc"), id: "b", at: minute(1))) == ["b push"])

        var quiet = try self.book()
        _ = quiet.triggered(problem("auth", policy: "quiet"), id: "a", at: minute(0))
        #expect(called(quiet.triggered(problem("pgc"), id: "b", at: minute(1))) == ["b push"])

        // A child whose problem becomes more severe calls at once.
        var worse = try self.book()
        _ = worse.triggered(problem("auth", severity: "warning"), id: "a", at: minute(0))
        _ = worse.triggered(problem("pgc", severity: "info"), id: "b", at: minute(1))
        #expect(worse.children(of: "a") == ["b"])
        _ = worse.triggered(problem("pgc", severity: "critical"), id: "x", at: minute(2))
        #expect(called(worse.clockReached(minute(2))) == ["b push"])
    }

    @Test func `what a person does with a child counts, and a reload without the dependency releases it`() throws {
        var book = try book()
        _ = book.triggered(problem("auth"), id: "a", at: minute(0))
        _ = book.triggered(problem("pgc"), id: "b", at: minute(1))
        let actor = PageActor(identity: "ada", method: "token")
        var answered = book
        #expect(
            called(answered.ordered(PageOrder(.escalate, by: actor), page: "b", at: minute(2)).actions) == ["b push"])
        #expect(answered.children(of: "a") == [])
        _ = book.ordered(PageOrder(.note("n"), by: actor), page: "b", at: minute(2))
        #expect(book.children(of: "a") == ["b"])
        _ = book.reconfigured(
            try self.book(Self.file.replacing("needs: [auth]", with: "needs: [db]")).roster, at: minute(3))
        #expect(called(book.clockReached(minute(3))) == ["b push"])
    }

    @Test func `a child is restored as one, and released if its parent is not there`() throws {
        var book = try book()
        _ = book.triggered(problem("auth"), id: "a", at: minute(0))
        _ = book.triggered(problem("pgc"), id: "b", at: minute(1))
        var all = try self.book()
        all.restored([try #require(PageBook.Record(payload: book.record(at: minute(1)).payload))], at: minute(2))
        #expect(all.children(of: "a") == ["b"] && called(all.resumed()) == ["a push"])
        var one = try self.book()
        one.restored([PageBook.Record(entries: [try #require(book.entries["b"])], at: minute(1))], at: minute(2))
        _ = one.clockReached(minute(2))
        #expect(called(one.clockReached(minute(4))) == ["b push"])
    }

    /// Opens and ends a page of `auth` twice within ten minutes.
    private func restless() throws -> PageBook {
        var book = try book()
        for (number, start) in [(1, 0), (2, 4)] as [(Int, Int64)] {
            _ = book.triggered(problem("auth"), id: "a\(number)", at: minute(start))
            _ = book.ended("k-auth", by: "s", at: minute(start + 2))
        }
        return book
    }

    @Test func `the third page within an hour stays open until the problem stays away`() throws {
        var book = try restless()
        let third = book.triggered(problem("auth"), id: "a3", at: minute(8))
        #expect(called(third) == ["a3 push"] && recorded(third) == ["a3 opened", "a3 flapping"])
        #expect(recorded(book.ended("k-auth", by: "s", at: minute(10))) == [])
        #expect(called(book.clockReached(minute(14))) == [])
        // Back after six minutes: the second step comes six minutes later than it would have.
        #expect(called(book.triggered(problem("auth"), id: "a4", at: minute(16))) == [])
        #expect(called(book.clockReached(minute(18))) == [])
        #expect(called(book.clockReached(minute(19))) == ["a3 lead"])
        #expect(recorded(book.ended("k-auth", by: "s", at: minute(20))) == [])
        #expect(recorded(book.clockReached(minute(39))) == [])
        #expect(recorded(book.clockReached(minute(40))) == ["a3 resolved"])
        #expect(book.openCount == 0 && book.checkInvariants() == [])
    }

    @Test func `somebody who has a flapping page is not called again, and it ends all the same`() throws {
        var book = try restless()
        _ = book.triggered(problem("auth"), id: "a3", at: minute(8))
        _ = book.ended("k-auth", by: "s", at: minute(10))
        let actor = PageActor(identity: "ada", method: "token")
        #expect(
            book.ordered(PageOrder(.escalate, by: actor), page: "a3", at: minute(11)).outcome
                == .refused("the problem is away; it is to come back first"))
        #expect(book.ordered(PageOrder(.acknowledge, by: actor), page: "a3", at: minute(11)).outcome == .done)
        #expect(called(book.triggered(problem("auth"), id: "a4", at: minute(15))) == [])
        #expect(called(book.clockReached(minute(25))) == [])
        _ = book.ended("k-auth", by: "s", at: minute(26))
        var restored = try self.book()
        restored.restored([try #require(PageBook.Record(payload: book.record(at: minute(27)).payload))], at: minute(27))
        #expect(recorded(restored.clockReached(minute(46))) == ["a3 resolved"])
    }

    @Test func `the end of a flapping page releases its children`() throws {
        var book = try restless()
        _ = book.triggered(problem("auth"), id: "a3", at: minute(8))
        _ = book.triggered(problem("pgc"), id: "b", at: minute(9))
        _ = book.ended("k-auth", by: "s", at: minute(10))
        #expect(book.children(of: "a3") == ["b"])
        #expect(recorded(book.clockReached(minute(30))) == ["a3 resolved", "b released"])
        #expect(called(book.clockReached(minute(32))) == ["b push"])
    }

    @Test func `pages an hour apart do not flap`() throws {
        var book = try restless()
        #expect(recorded(book.triggered(problem("auth"), id: "a3", at: minute(64))) == ["a3 opened"])
    }

    @Test(arguments: [
        ("dependencies: [{service: a, needs: []}]", "dependencies[0].needs: at least one service is required"),
        (
            "dependencies: [{service: a, needs: [b]}, {service: b, needs: [a]}]",
            "dependencies[1].needs: the service needs itself, by the dependencies so far"
        ),
        ("flapping: {pages: 1}", "flapping.pages: expected 2 to 100"),
        ("flapping: {quiet: 2d}", "flapping.quiet: must be 1m to 1d"),
    ])
    func `a rule that makes no sense is refused with its field`(text: String, fault: String) {
        let error = #expect(throws: YAMLError.self) { try book(text) }
        #expect(error?.description.contains(fault) == true, "\(String(describing: error))")
    }
}
