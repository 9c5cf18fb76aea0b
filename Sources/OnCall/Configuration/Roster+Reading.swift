internal import ConfigurationFields
internal import MetricModel
internal import YAML

extension Roster {
    /// Reads people, teams, schedules and policies of an `oncall.yml`.
    init(_ fields: inout FieldReader) throws(YAMLError) {
        self.init()
        let file = fields.file
        for (index, element) in try fields.list("people").enumerated() {
            let person = try Person(element, path: "people[\(index)]", file: file)
            try Self.unique(people[person.name] == nil, person.name, element, "people[\(index)].name", file)
            for (service, id) in person.chat where people.values.contains(where: { $0.chat[service] == id }) {
                throw YAMLError(
                    file: file, line: element.line, column: element.column, field: "people[\(index)].chat.\(service)",
                    message: "another person has the id \"\(id)\"")
            }
            people[person.name] = person
        }
        for (index, element) in try fields.list("teams").enumerated() {
            var team = try FieldReader(element, path: "teams[\(index)]", file: file)
            let name = try team.text("name")
            try Self.unique(teams[name] == nil, name, element, "teams[\(index)].name", file)
            teams[name] = try Self.names(&team, "people", in: people)
            try team.finish()
        }
        for (index, element) in try fields.list("schedules").enumerated() {
            var reader = try FieldReader(element, path: "schedules[\(index)]", file: file)
            let schedule = try Schedule(&reader, people: people)
            try Self.unique(schedules[schedule.name] == nil, schedule.name, element, "schedules[\(index)].name", file)
            schedules[schedule.name] = schedule
        }
        for (index, element) in try fields.list("digests").enumerated() {
            var reader = try FieldReader(element, path: "digests[\(index)]", file: file)
            let digest = try Digest(&reader)
            try Self.unique(digests[digest.name] == nil, digest.name, element, "digests[\(index)].name", file)
            digests[digest.name] = digest
        }
        for (index, element) in try fields.list("policies").enumerated() {
            var reader = try FieldReader(element, path: "policies[\(index)]", file: file)
            let policy = try EscalationPolicy(&reader, roster: self)
            try Self.unique(policies[policy.name] == nil, policy.name, element, "policies[\(index)].name", file)
            policies[policy.name] = policy
        }
    }

    static func unique(
        _ isUnique: Bool, _ name: String, _ node: YAMLNode, _ path: String, _ file: String
    ) throws(YAMLError) {
        if isUnique { return }
        throw YAMLError(
            file: file, line: node.line, column: node.column, field: path, message: "the name \"\(name)\" is not unique"
        )
    }

    /// A list of at least one name of a person.
    static func names(
        _ fields: inout FieldReader, _ field: String, in people: [String: Person]
    ) throws(YAMLError) -> [String] {
        let names = try fields.textList(field)
        if names.isEmpty { throw fields.fault("at least one person is required", field: field) }
        for (index, name) in names.enumerated() where people[name] == nil {
            throw fields.fault(
                "there is no person \"\(name)\" under people", at: fields.optional(field)?.elements?[index],
                field: "\(field)[\(index)]")
        }
        return names
    }
}

extension Roster.Person {
    fileprivate init(_ node: YAMLNode, path: String, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        let name = try fields.text("name")
        if name.isEmpty { throw fields.fault("the name is empty", field: "name") }
        var contacts: [Contact] = []
        for (index, element) in try fields.list("contacts").enumerated() {
            var contact = try FieldReader(element, path: "\(path).contacts[\(index)]", file: file)
            let delay = try contact.optionalDuration("after") ?? .zero
            if try contact.optionalFlag("push") == true {
                guard contact.optional("receiver") == nil else {
                    throw contact.fault("expected exactly one of receiver, push", field: "push")
                }
                contacts.append(.push(to: name, delay: delay))
            } else {
                let receiver = try contact.text("receiver")
                guard Contact.person(ofReceiver: receiver) == nil else {
                    throw contact.fault(
                        "browsers are called by {push: true}", at: contact.optional("receiver"), field: "receiver")
                }
                contacts.append(Contact(receiver: receiver, delay: delay))
            }
            try contact.finish()
        }
        if contacts.isEmpty { throw fields.fault("at least one contact is required", field: "contacts") }
        let aliases = try fields.textList("known_as")
        var chat: [ChatAction.Service: String] = [:]
        if let node = fields.optional("chat") {
            var inner = try FieldReader(node, path: "\(path).chat", file: file)
            for service in ChatAction.Service.allCases { chat[service] = try inner.optionalText(service.rawValue) }
            try inner.finish()
        }
        try fields.finish()
        self.init(name: name, contacts: contacts, aliases: aliases, chat: chat)
    }
}

extension EscalationPolicy {
    init(_ fields: inout FieldReader, roster: Roster) throws(YAMLError) {
        let name = try fields.text("name")
        var steps: [Step] = []
        for (index, element) in try fields.list("steps").enumerated() {
            var step = try FieldReader(element, path: "\(fields.path).steps[\(index)]", file: fields.file)
            let delay = try step.optionalDuration("after") ?? .zero
            if let last = steps.last, delay < last.delay {
                throw step.fault(
                    "a step cannot fire before the step above it", at: step.optional("after"), field: "after")
            }
            steps.append(Step(delay: delay, targets: try Self.targets(&step, roster)))
            try step.finish()
        }
        guard let last = steps.last else { throw fields.fault("at least one step is required", field: "steps") }
        let repeats = try fields.optionalInteger("repeats") ?? 0
        guard (0...100).contains(repeats) else {
            throw fields.fault("expected 0 to 100", at: fields.optional("repeats"), field: "repeats")
        }
        let roundLength = try fields.optionalDuration("repeat_after") ?? last.delay + .minutes(15)
        guard roundLength > last.delay else {
            throw fields.fault(
                "a round must be longer than the time until its last step", at: fields.optional("repeat_after"),
                field: "repeat_after")
        }
        let timeout = try fields.optionalDuration("acknowledgement_timeout")
        if timeout == .zero {
            throw fields.fault(
                "must be longer than 0", at: fields.optional("acknowledgement_timeout"),
                field: "acknowledgement_timeout")
        }
        let expectsAnswer = try fields.optionalFlag("expects_answer") ?? true
        try fields.finish()
        self.init(
            name: name, steps: steps, repeats: repeats, roundLength: roundLength, acknowledgementTimeout: timeout,
            expectsAnswer: expectsAnswer)
    }

    private static func targets(_ step: inout FieldReader, _ roster: Roster) throws(YAMLError) -> [Target] {
        var targets: [Target] = []
        for (index, element) in try step.list("notify").enumerated() {
            let path = "notify[\(index)]"
            var fields = try FieldReader(element, path: step.path(of: path), file: step.file)
            let person = try fields.optionalText("person")
            let team = try fields.optionalText("team")
            let schedule = try fields.optionalText("schedule")
            let receiver = try fields.optionalText("receiver")
            let digest = try fields.optionalText("digest")
            try fields.finish()
            let named: [(Target, Bool, String)] = [
                person.map { (.person($0), roster.people[$0] != nil, "person \"\($0)\" under people") },
                team.map { (.team($0), roster.teams[$0] != nil, "team \"\($0)\" under teams") },
                schedule.map { (.schedule($0), roster.schedules[$0] != nil, "schedule \"\($0)\" under schedules") },
                receiver.map { (.receiver($0), true, "") },
                digest.map { (.digest($0), roster.digests[$0] != nil, "digest \"\($0)\" under digests") },
            ].compactMap { $0 }
            guard named.count == 1 else {
                throw fields.fault("expected exactly one of person, team, schedule, receiver, digest")
            }
            guard named[0].1 else { throw fields.fault("there is no \(named[0].2)") }
            targets.append(named[0].0)
        }
        if targets.isEmpty { throw step.fault("at least one target is required", field: "notify") }
        return targets
    }
}
