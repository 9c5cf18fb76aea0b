internal import OnCall
internal import YAML

extension OnCallConfiguration {
    /// The faults of the names of receivers in the file at `path`: a page would be too late to find them.
    ///
    /// - Parameter known: the names of the receivers of the notification configuration.
    func faults(_ path: String, receivers known: some Collection<String>) -> [YAMLError] {
        let known = Set(known)
        var faults: [YAMLError] = []
        func check(_ receiver: String, _ field: String, calls: Bool) {
            if !known.contains(receiver) {
                let text =
                    known.isEmpty
                    ? "no receiver \"\(receiver)\": alertmanager_config is not set"
                    : "alertmanager_config has no receiver \"\(receiver)\""
                faults.append(YAMLError(at: field, of: path, message: text))
            } else if calls, receivers[receiver] != nil {
                faults.append(
                    YAMLError(
                        at: field, of: path,
                        message: "the receiver \"\(receiver)\" opens pages, so it cannot be called about one"))
            }
        }
        for name in receivers.keys.sorted() { check(name, "receivers[name=\(name)].name", calls: false) }
        for person in roster.people.values.sorted(by: { $0.name < $1.name }) {
            for (index, contact) in person.contacts.enumerated() where !contact.isPush {
                check(contact.receiver, "people[name=\(person.name)].contacts[\(index)].receiver", calls: true)
            }
        }
        for digest in roster.digests.values.sorted(by: { $0.name < $1.name }) {
            check(digest.receiver, "digests[name=\(digest.name)].receiver", calls: true)
        }
        for policy in roster.policies.values.sorted(by: { $0.name < $1.name }) {
            for (number, step) in policy.steps.enumerated() {
                for (index, target) in step.targets.enumerated() {
                    guard case .receiver(let name) = target else { continue }
                    let field = "policies[name=\(policy.name)].steps[\(number)].notify[\(index)].receiver"
                    check(name, field, calls: true)
                }
            }
        }
        return faults
    }
}
