internal import GoTemplate
internal import JSON
internal import MetricModel
internal import Notification
internal import Receivers
internal import Runtime
internal import YAML

/// Commands about receivers and their templates.
enum ReceiverCommands {
    static let test = Command(
        "receivers test", "Send a test message and print the result.", operands: "[NAME...]", count: 0...1000,
        options: [
            .value("config.file", "FILE", "The configuration; its alertmanager file is used.", default: "tribune.yml"),
            .value("alertmanager.file", "FILE", "An alertmanager.yml, used instead of the configuration."),
            .value("web.external-url", "URL", "The URL in the message.", default: "http://localhost:9190"),
        ],
        details: """
            The message says that it is a test. It goes to every integration of the named receivers, or of all. Exit code 1
            when one of them did not accept it.

            Example: tribune receivers test --alertmanager.file=alertmanager.yml team-db
            """
    ) { (invocation) throws(CommandFailure) in
        let configuration = try configuration(invocation)
        let names = invocation.operands.isEmpty ? configuration.receivers.keys.sorted() : invocation.operands
        for name in names where configuration.receivers[name] == nil {
            throw CommandFailure("no receiver named \"\(name)\"")
        }
        let externalURL = invocation.value("web.external-url") ?? ""
        var failed = 0
        for receiver in names.compactMap({ configuration.receivers[$0] }) {
            if receiver.integrations.isEmpty { Console.print("\(receiver.name): has no integrations") }
            for (index, integration) in receiver.integrations.enumerated() {
                let place = "\(receiver.name): \(integration.kind)[\(index)]"
                let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
                var delivery = Delivery(
                    .test(receiver: receiver.name, at: now), externalURL: externalURL,
                    templates: configuration.templates, transport: NetworkTransport())
                do throws(DeliveryFailure) {
                    try integration.settings.send(&delivery)
                    let milliseconds = SystemClock.wallMilliseconds() - now.milliseconds
                    let answer = delivery.answer.isEmpty ? "" : ", \(delivery.answer)"
                    Console.print("\(place): accepted after \(milliseconds) ms\(answer)")
                    for remark in delivery.remarks { Console.print("  \(remark)") }
                } catch {
                    failed += 1
                    Console.print("\(place): FAILED: \(error.reason)")
                }
            }
        }
        return failed == 0 ? 0 : CommandFailure.Code.failed.rawValue
    }

    static let template = Command(
        "check template", "Render a notification template.", operands: "FILE...", count: 1...100,
        options: [
            .value("data", "FILE", "JSON with a message in the webhook's format, a list of alerts, or one alert."),
            .value("template", "TEXT", "The template to render. Default: every template that is not empty."),
            .flag("html", "Escape as in HTML fields."),
            .value("web.external-url", "URL", "The URL of templates.", default: "http://localhost:9190"),
        ],
        details: """
            The files are read like those that templates: names in alertmanager.yml. Faults name file and line.

            Example: tribune check template my.tmpl --data=alert.json --template='{{ template "my.title" . }}'
            """
    ) { (invocation) throws(CommandFailure) in
        var files: [NotificationTemplates.File] = []
        for path in invocation.operands {
            guard let text = FileText.read(path) else { throw CommandFailure("cannot read \(path)") }
            files.append(.init(name: String(path.split(separator: "/").last ?? ""), text: text))
        }
        let data = MessageData(try message(invocation), externalURL: invocation.value("web.external-url") ?? "")
        do throws(TemplateError) {
            let templates = try NotificationTemplates(files)
            let mode: Template.Mode = invocation.flag("html") ? .html : .text
            if let text = invocation.value("template") {
                Console.print(try templates.expand(text, for: .object(data), mode: mode))
                return 0
            }
            for name in try templates.names(in: files) {
                Console.print("== \(name)")
                Console.print(
                    try templates.expand(
                        "{{ template \(JSON.string(name).encoded) . }}", for: .object(data), mode: mode))
            }
            return 0
        } catch {
            Console.error(error.message)
            return CommandFailure.Code.failed.rawValue
        }
    }

    private static func configuration(_ invocation: Invocation) throws(CommandFailure) -> NotificationConfiguration {
        do throws(YAMLError) {
            if let path = invocation.value("alertmanager.file") { return try NotificationConfiguration.load(path) }
            let file = try TribuneFile.load(invocation.value("config.file") ?? "tribune.yml")
            guard let path = file.alertmanager else { return .silent }
            return try NotificationConfiguration.load(path)
        } catch {
            throw CommandFailure(error.description)
        }
    }

    private static func message(_ invocation: Invocation) throws(CommandFailure) -> Message {
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        guard let path = invocation.value("data") else { return .test(receiver: "test", at: now) }
        guard let text = FileText.read(path) else { throw CommandFailure("cannot read \(path)") }
        guard let json = try? JSON(parsing: text) else { throw CommandFailure("\(path): malformed JSON") }
        do throws(JSONFieldError) {
            return try Message(json, at: now)
        } catch {
            throw CommandFailure("\(path): \(error)")
        }
    }
}
