/// A type that can report which of its rules are violated.
///
/// Debug builds check after major changes; tests check after every step. A release build does not check.
/// nothing.
protocol InvariantChecking {
    /// A sentence for each violated rule. Reads the whole structure.
    var brokenInvariants: [String] { get }
}

extension InvariantChecking {
    /// Stops a debug build if a rule is violated.
    func checkInvariants(file: StaticString = #fileID, line: UInt = #line) {
        assert(brokenInvariants.isEmpty, brokenInvariants.joined(separator: "; "), file: file, line: line)
    }
}

/// Collects violated rules.
struct InvariantReport {
    private(set) var broken: [String] = []

    /// Reports `rule`, a sentence that must be true, unless `condition` holds.
    mutating func expect(_ condition: Bool, _ rule: @autoclosure () -> String) {
        // A completely broken structure needs no longer list.
        if !condition, broken.count < 20 { broken.append(rule()) }
    }

    /// Adds the report of a part of the structure.
    mutating func add(_ part: String, _ other: [String]) {
        for rule in other { expect(false, "\(part): \(rule)") }
    }
}
