import MetricModel
import Runtime
import Testing

@testable import OnCall

@Suite struct PlannedOverrideTests {
    private static let actor = PageActor(identity: "ada", method: "token")

    private func time(_ text: String) throws -> Timestamp {
        Timestamp(milliseconds: try #require(RFC3339.milliseconds(parsing: text)))
    }

    /// Two people who take turns of a week, from Monday 2026-01-05 09:00 UTC on.
    private func book() throws -> PageBook {
        var roster = Roster()
        for name in ["ada", "bob", "eve"] {
            roster.people[name] = .init(name: name, contacts: [.init(receiver: name, delay: .zero)])
        }
        let start = try time("2026-01-05T09:00:00Z").milliseconds / 1000
        let rotation = Rotation(people: ["ada", "bob"], length: .days(7), start: start)
        let file = Schedule.Override(
            person: "eve", times: try time("2026-01-30T00:00:00Z")..<time("2026-01-31T00:00:00Z"))
        roster.schedules["s"] = Schedule(
            name: "s", zone: .utc, layers: [.init(rotation: rotation)], overrides: [file])
        return PageBook(roster)
    }

    private func ids() -> () -> String {
        var next = 0
        // Each text comes twice, as random texts may.
        return {
            next += 1
            return "o\(next / 2)"
        }
    }

    private func who(_ book: PageBook, _ text: String) throws -> String? {
        book.roster.schedules["s"]?.person(at: try time(text))
    }

    @Test func `an override counts at its times and before those of the file, until it is removed`() throws {
        var book = try book()
        let now = try time("2026-01-06T00:00:00Z")
        let verb = ScheduleOrder.Verb.plan(
            schedule: "s", person: "bob", try time("2026-01-29T12:00:00Z")..<time("2026-01-30T12:00:00Z"))
        let (outcome, actions) = book.ordered(
            ScheduleOrder(verb, reason: "dentist", by: Self.actor), at: now, id: ids())
        guard case .done(let planned) = outcome, let override = planned.first else {
            Issue.record("\(outcome)")
            return
        }
        #expect(override.person == "bob" && override.by == "ada" && override.reason == "dentist")
        #expect(
            actions == [.recordSchedule(ScheduleEvent(kind: .planned, override: override, at: now, actor: Self.actor))])
        #expect(try who(book, "2026-01-30T11:59:59Z") == "bob" && who(book, "2026-01-30T12:00:00Z") == "eve")
        #expect(book.takeChanges().overrides == [override])

        let change = ScheduleOrder(
            .change(override.id, person: "ada", from: nil, until: try time("2026-01-30T13:00:00Z")), by: Self.actor)
        guard case .done(let changed) = book.ordered(change, at: now, id: ids()).outcome else {
            Issue.record("not changed")
            return
        }
        #expect(changed.first?.revision == 1 && changed.first?.reason == "dentist")
        #expect(try who(book, "2026-01-30T12:59:59Z") == "ada" && who(book, "2026-01-30T13:00:00Z") == "eve")
        _ = book.takeChanges()
        let (removed, actions2) = book.ordered(ScheduleOrder(.remove(override.id), by: Self.actor), at: now, id: ids())
        #expect(removed == .done(changed))
        #expect(actions2.count == 1)
        #expect(try who(book, "2026-01-30T11:59:59Z") == "eve")
        #expect(book.takeChanges().forgotten == [override.id] && book.plannedOverrides(of: "s").isEmpty)
    }

    @Test func `the rest of a shift is taken, and two shifts are swapped`() throws {
        var book = try book()
        let now = try time("2026-01-06T00:00:00Z")
        let fresh = ids()
        let take = ScheduleOrder.Verb.take(schedule: "s", person: "eve", at: try time("2026-01-07T00:00:00Z"))
        guard case .done(let taken) = book.ordered(ScheduleOrder(take, by: Self.actor), at: now, id: fresh).outcome
        else {
            Issue.record("not taken")
            return
        }
        #expect(try taken.first?.times == now..<time("2026-01-12T09:00:00Z"))
        let again = book.ordered(ScheduleOrder(take, by: Self.actor), at: now, id: fresh).outcome
        #expect(again == .refused("eve has this shift"))

        let swap = ScheduleOrder.Verb.swap(
            schedule: "s", try time("2026-01-13T00:00:00Z"), try time("2026-01-20T00:00:00Z"))
        guard case .done(let swapped) = book.ordered(ScheduleOrder(swap, by: Self.actor), at: now, id: fresh).outcome
        else {
            Issue.record("not swapped")
            return
        }
        #expect(swapped.map(\.person) == ["ada", "bob"] && Set(swapped.map(\.id)).count == 2)
        #expect(
            try swapped.map(\.times) == [
                time("2026-01-12T09:00:00Z")..<time("2026-01-19T09:00:00Z"),
                time("2026-01-19T09:00:00Z")..<time("2026-01-26T09:00:00Z"),
            ])
        #expect(try who(book, "2026-01-12T09:00:00Z") == "ada" && who(book, "2026-01-19T09:00:00Z") == "bob")
    }

    @Test func `an order that makes no sense changes nothing`() throws {
        var book = try book()
        let now = try time("2026-01-06T00:00:00Z")
        let span = try time("2026-01-07T00:00:00Z")..<time("2026-01-08T00:00:00Z")
        let orders: [(ScheduleOrder.Verb, ScheduleOutcome)] = [
            (.plan(schedule: "s", person: "zed", span), .refused("there is no person \"zed\"")),
            (.plan(schedule: "t", person: "ada", span), .unknown("schedule \"t\"")),
            (
                .plan(schedule: "s", person: "ada", try time("2025-01-07T00:00:00Z")..<now),
                .refused("the end is in the past")
            ),
            (
                .plan(schedule: "s", person: "ada", now..<(now + .hours(24 * 367))),
                .refused("an override lasts at most 366 days")
            ),
            (.remove("x"), .unknown("override \"x\"")),
            (.swap(schedule: "s", now, now + .hours(1)), .refused("ada is on call at both times")),
            (
                .swap(schedule: "s", now, try time("2020-01-01T00:00:00Z")),
                .refused("nobody is on call at one of the times")
            ),
            (
                .take(schedule: "s", person: "bob", at: try time("2020-01-01T00:00:00Z")),
                .refused("the end must be after the beginning")
            ),
        ]
        let before = book
        for (verb, outcome) in orders {
            #expect(book.ordered(ScheduleOrder(verb, by: Self.actor), at: now, id: ids()).outcome == outcome, "\(verb)")
        }
        let long = ScheduleOrder(.remove("x"), reason: String(repeating: "x", count: 501), by: Self.actor)
        #expect(book.ordered(long, at: now, id: ids()).outcome == .refused("a reason has at most 500 bytes"))
        #expect(book == before)
    }

    @Test func `overrides are restored, the newer of two copies, and forgotten a month after their end`() throws {
        var book = try book()
        let now = try time("2026-01-06T00:00:00Z")
        let span = try time("2026-01-07T00:00:00Z")..<time("2026-01-08T00:00:00Z")
        let verb = ScheduleOrder.Verb.plan(schedule: "s", person: "bob", span)
        guard case .done(let planned) = book.ordered(ScheduleOrder(verb, by: Self.actor), at: now, id: ids()).outcome
        else { return }
        let old = book.record(at: now)
        _ = book.ordered(
            ScheduleOrder(.change(planned[0].id, person: "eve", from: nil, until: nil), by: Self.actor), at: now,
            id: ids())
        let new = try #require(PageBook.Record(payload: book.record(at: now).payload))
        var restored = try self.book()
        restored.restored([new, old], at: now)
        #expect(try who(restored, "2026-01-07T12:00:00Z") == "eve")
        _ = restored.clockReached(try time("2026-02-07T23:59:59Z"))
        #expect(restored.plannedOverrides(of: "s").count == 1)
        _ = restored.takeChanges()
        _ = restored.clockReached(try time("2026-02-08T00:00:01Z"))
        #expect(restored.plannedOverrides(of: "s").isEmpty && restored.takeChanges().forgotten == [planned[0].id])
    }

    @Test func `an override of a person who is gone counts for nobody, and again when they are back`() throws {
        var book = try book()
        let now = try time("2026-01-06T00:00:00Z")
        let verb = ScheduleOrder.Verb.plan(schedule: "s", person: "eve", now..<(now + .hours(24)))
        _ = book.ordered(ScheduleOrder(verb, by: Self.actor), at: now, id: ids())
        let all = book.roster
        var fewer = try self.book().roster
        fewer.people["eve"] = nil
        _ = book.reconfigured(fewer, at: now)
        #expect(try who(book, "2026-01-06T12:00:00Z") == "ada")
        _ = book.reconfigured(try self.book().roster, at: now)
        #expect(try who(book, "2026-01-06T12:00:00Z") == "eve" && book.roster == all)
    }
}
