import JSON
import MetricModel
import Testing
import YAML

@testable import OnCall

@Suite struct BrowserTests {
    private static let now = Timestamp(milliseconds: 1_700_000_000_000)

    private static func book() throws -> PageBook {
        let text = """
            people:
            - {name: ada, contacts: [{push: true}, {receiver: phone, after: 5m}]}
            - {name: bob, contacts: [{push: true}]}
            - {name: eve, contacts: [{receiver: phone}]}
            push: {contact: "mailto:a@example.org"}
            """
        return PageBook(try configuration(text).roster)
    }

    private static func configuration(_ text: String) throws -> OnCallConfiguration {
        try OnCallConfiguration(YAML.parse(Array(text.utf8), file: "oncall.yml")[0], file: "oncall.yml")
    }

    private static func address(_ number: Int) -> Browser.Address {
        Browser.Address(endpoint: "https://fcm.googleapis.com/\(number)", key: "k\(number)", secret: "s\(number)")
    }

    /// Ids in a row, the first of which are taken already.
    private final class Ids {
        var next = 0
        func make() -> String {
            next += 1
            return "id\(next / 2)"
        }
    }

    @Test func `a browser that gives its address again is the same browser, also of another person`() throws {
        var book = try Self.book()
        let ids = Ids()
        guard
            case .done(let first) = book.ordered(
                .add(person: "ada", Self.address(1), name: "phone"), at: Self.now, id: ids.make)
        else { throw Unexpected() }
        #expect(book.takeChanges().browsers == [first])
        #expect(book.browsers(of: "ada") == [first])
        var fresh = Self.address(1)
        fresh.key = "other"
        guard
            case .done(let again) = book.ordered(.add(person: "bob", fresh, name: "tablet"), at: Self.now, id: ids.make)
        else { throw Unexpected() }
        #expect(again.id == first.id && again.revision == 1 && again.address.key == "other")
        #expect(book.browsers(of: "ada").isEmpty && book.browsers(of: "bob") == [again])
        guard
            case .done(let second) = book.ordered(
                .add(person: "ada", Self.address(2), name: ""), at: Self.now, id: ids.make)
        else { throw Unexpected() }
        #expect(second.id != first.id)
    }

    @Test func `the number of browsers is bounded, and people without the contact have none`() throws {
        var book = try Self.book()
        let ids = Ids()
        for number in 0..<PageBook.browserCapacity.person {
            guard
                case .done = book.ordered(
                    .add(person: "ada", Self.address(number), name: ""), at: Self.now, id: ids.make)
            else { throw Unexpected() }
        }
        guard case .refused = book.ordered(.add(person: "ada", Self.address(99), name: ""), at: Self.now, id: ids.make)
        else { throw Unexpected() }
        // One that is there may still change.
        guard case .done = book.ordered(.add(person: "ada", Self.address(0), name: "new"), at: Self.now, id: ids.make)
        else { throw Unexpected() }
        guard case .refused = book.ordered(.add(person: "eve", Self.address(99), name: ""), at: Self.now, id: ids.make)
        else { throw Unexpected() }
        guard case .unknown = book.ordered(.add(person: "zoe", Self.address(99), name: ""), at: Self.now, id: ids.make)
        else { throw Unexpected() }
        let long = String(repeating: "x", count: BrowserOrder.longestName + 1)
        guard
            case .refused = book.ordered(.add(person: "bob", Self.address(99), name: long), at: Self.now, id: ids.make)
        else { throw Unexpected() }
    }

    @Test func `browsers are stored with the pages, and of two copies the newer one counts`() throws {
        var book = try Self.book()
        let ids = Ids()
        _ = book.ordered(.add(person: "ada", Self.address(1), name: "a"), at: Self.now, id: ids.make)
        let old = book.record(at: Self.now)
        _ = book.ordered(.add(person: "ada", Self.address(1), name: "b"), at: Self.now, id: ids.make)
        _ = book.ordered(.add(person: "bob", Self.address(2), name: "c"), at: Self.now, id: ids.make)
        let new = book.record(at: Self.now)
        #expect(PageBook.Record(payload: new.payload) == new)
        for records in [[old, new], [new, old]] {
            var restored = try Self.book()
            restored.restored(records, at: Self.now)
            #expect(restored.browsers == book.browsers)
        }
        // A record of a version without browsers.
        let text = #"{"version":1,"at":0,"epoch":0,"entries":[],"forgotten":[]}"#
        #expect(PageBook.Record(payload: Array(text.utf8))?.browsers == [])
    }

    @Test func `a browser that is gone is forgotten unless it has another address by now`() throws {
        var book = try Self.book()
        guard
            case .done(let browser) = book.ordered(
                .add(person: "ada", Self.address(1), name: ""), at: Self.now, id: { "b" })
        else { throw Unexpected() }
        _ = book.takeChanges()
        let isOther = book.browserIsGone("b", endpoint: "https://fcm.googleapis.com/0")
        let isUnknown = book.browserIsGone("c", endpoint: "")
        #expect(!isOther && !isUnknown)
        #expect(book.browsers(of: "ada") == [browser])
        let isGone = book.browserIsGone("b", endpoint: browser.address.endpoint)
        let forgotten = book.takeChanges().forgotten
        #expect(isGone && book.browsers.isEmpty && forgotten == ["b"])
    }

    @Test func `a contact {push: true} is a call like another, in its order`() throws {
        let roster = try Self.book().roster
        let calls = roster.calls(of: .init(delay: .zero, targets: [.person("ada")]), at: Self.now)
        #expect(calls.map(\.receiver) == ["push:ada", "phone"] && calls.map(\.delay) == [.zero, .minutes(5)])
        #expect(Roster.Person.Contact.person(ofReceiver: "push:ada") == "ada")
        #expect(Roster.Person.Contact.person(ofReceiver: "phone") == nil)
    }

    @Test(arguments: [
        ("people: [{name: a, contacts: [{push: true}]}]", "push"),
        ("people: [{name: a, contacts: [{push: true, receiver: x}]}]", "people[0].contacts[0].push"),
        ("people: [{name: a, contacts: [{receiver: 'push:a'}]}]", "people[0].contacts[0].receiver"),
        ("people: [{name: a, contacts: [{push: false}]}]", "people[0].contacts[0]"),
        ("push: {}", "push"), ("push: {contact: a@example.org}", "push.contact"),
        ("push: {contact: 'mailto:'}", "push.contact"),
        ("push: {contact: 'mailto:a', services: ['https://x']}", "push.services[0]"),
        ("push: {contact: 'mailto:a', services: ['X.example']}", "push.services[0]"),
        ("push: {contact: 'mailto:a', services: [x, 'y:0']}", "push.services[1]"),
        ("push: {contact: 'mailto:a', other: 1}", "push.other"),
    ])
    func `a mistake in the settings names its field`(text: String, field: String) {
        let error = #expect(throws: YAMLError.self) { try Self.configuration(text) }
        #expect(error?.field == field && (error?.line ?? 0) > 0, "\(String(describing: error))")
    }

    private struct Unexpected: Error {}
}
