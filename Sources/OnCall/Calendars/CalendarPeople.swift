/// The people whom calendars may name, by the names that calendars use. A value.
public struct CalendarPeople: Equatable, Sendable {
    /// Names in small letters, as words.
    private var names: [(words: [String], person: String)] = []

    /// The people of `roster`, by their names and by what else they are known as.
    public init(_ roster: Roster) {
        for person in roster.people.values.sorted(by: { $0.name < $1.name }) {
            for name in [person.name] + person.aliases { names.append((Self.words(name), person.name)) }
        }
    }

    /// Whether both know the same people.
    public static func == (left: CalendarPeople, right: CalendarPeople) -> Bool {
        left.names.elementsEqual(right.names) { $0 == $1 }
    }

    /// The one person whom the event is about: the only attendee who is known, or the only person whose name is in the
    /// summary; `nil` if there is none, or more than one.
    func person(summary: String, attendees: [String]) -> String? {
        let attending = Set(attendees.flatMap { address in people { $0 == Self.words(address) } })
        if attending.count == 1 { return attending.first }
        let words = Self.words(summary)
        let exact = people { $0 == words }
        if exact.count == 1 { return exact.first }
        let named = people { Self.contains(words, $0) }
        return named.count == 1 ? named.first : nil
    }

    private func people(_ matches: ([String]) -> Bool) -> Set<String> {
        Set(names.filter { matches($0.words) }.map(\.person))
    }

    private static func contains(_ words: [String], _ name: [String]) -> Bool {
        guard !name.isEmpty, name.count <= words.count else { return false }
        return (0...words.count - name.count).contains { words[$0..<$0 + name.count].elementsEqual(name) }
    }

    /// The letters, digits and characters of mail addresses between other characters.
    private static func words(_ text: String) -> [String] {
        text.lowercased().split { !($0.isLetter || $0.isNumber || "@._-+".contains($0)) }.map(String.init)
            .map { $0.trimming(".-_") }.filter { !$0.isEmpty }
    }
}

extension String {
    fileprivate func trimming(_ characters: String) -> String {
        var rest = Substring(self)
        while let first = rest.first, characters.contains(first) { rest.removeFirst() }
        while let last = rest.last, characters.contains(last) { rest.removeLast() }
        return String(rest)
    }
}
