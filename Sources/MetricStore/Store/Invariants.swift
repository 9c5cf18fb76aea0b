/// A type that can say which of its rules do not hold.
///
/// Debug builds check at the places where a type changes as a whole; tests check after every step. A release build pays
/// nothing.
protocol InvariantChecking {
    /// A sentence for each rule that does not hold. Costs a look at everything.
    var brokenInvariants: [String] { get }
}

extension InvariantChecking {
    /// Stops a debug build where a rule does not hold.
    func checkInvariants(file: StaticString = #fileID, line: UInt = #line) {
        assert(brokenInvariants.isEmpty, brokenInvariants.joined(separator: "; "), file: file, line: line)
    }
}

/// Gathers what does not hold.
struct InvariantReport {
    private(set) var broken: [String] = []

    /// Notes `rule`, which says what must be true, unless `condition` holds.
    mutating func expect(_ condition: Bool, _ rule: @autoclosure () -> String) {
        // A structure that is wholly broken needs no longer list.
        if !condition, broken.count < 20 { broken.append(rule()) }
    }

    /// Adds what a part of the structure reports.
    mutating func add(_ part: String, _ other: [String]) {
        for rule in other { expect(false, "\(part): \(rule)") }
    }
}
