import Foundation
import Runtime
import TestSupport
import Testing

/// What the page of on-call shows is what the program reads and prints.
@Suite struct OnCallPageTests {
    private static let page = (try? String(contentsOfFile: "\(root)/docs/operations/oncall.md", encoding: .utf8)) ?? ""
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        .standardized.path

    static func blocks(_ language: String) -> [String] {
        page.matches(of: /```([a-z]*)\n((?s).*?)```/).filter { $0.1 == language }.map { String($0.2) }
    }

    @Test func `the example is valid, and its escalation is as printed`() throws {
        let directory = TemporaryDirectory()
        let file = directory.write(try #require(Self.blocks("yaml").first), to: "oncall.yml")
        #expect(try TribuneProgram.run(["check", "oncall", file]).exit == .code(0))
        let shown = try #require(Self.blocks("").first { $0.contains("oncall escalations") })
        let printed = try TribuneProgram.run(["oncall", "escalations", file, "default", "--at=2026-11-29T10:00:00Z"])
        #expect(shown.split(separator: "\n").dropFirst().joined(separator: "\n") + "\n" == printed.output)
    }

    @Test func `the examples of chats, browsers and calendars are valid`() throws {
        let directory = TemporaryDirectory()
        let blocks = Self.blocks("yaml")
        directory.write("signing-secret-of-slack", to: "slack-signing.key")
        let chat = directory.write(blocks[7], to: "chat.yml")
        #expect(try TribuneProgram.run(["check", "oncall", chat]).exit == .code(0))
        let push = directory.write(blocks[8], to: "push.yml")
        let pushed = try TribuneProgram.run(["check", "oncall", push])
        #expect(pushed.exit == .code(0), "\(pushed)")
        directory.write(blocks[8].replacing("mailto:", with: ""), to: "push.yml")
        let wrong = try TribuneProgram.run(["check", "oncall", push])
        #expect(wrong.exit == .code(1) && (wrong.output + wrong.errors).contains("push.contact"), "\(wrong)")

        let calendar = """
            BEGIN:VCALENDAR
            BEGIN:VEVENT
            SUMMARY:On call: Ada Lovelace
            DTSTART;VALUE=DATE:20200106
            DURATION:P7D
            RRULE:FREQ=WEEKLY
            END:VEVENT
            END:VCALENDAR
            """
        let server = LoopbackServer { _ in .ok(calendar) }
        defer { server.stop() }
        directory.write(server.url + "/secret.ics\n", to: "calendar.url")
        let file = directory.write(blocks[10], to: "calendar.yml")
        let checked = try TribuneProgram.run(["check", "oncall", file])
        #expect(checked.exit == .code(0), "\(checked.output)\(checked.errors)")
        #expect(try TribuneProgram.run(["oncall", "who", file]).output == "primary  ada\n")
        server.stop()
        let failed = try TribuneProgram.run(["oncall", "who", file])
        #expect(failed.exit == .code(1) && failed.errors.contains("the calendar of the schedule \"primary\""))
        #expect(!failed.errors.contains("secret.ics"), "\(failed.errors)")
    }

    @Test func `all examples together are a configuration, and a contact without a receiver is found`() throws {
        let directory = TemporaryDirectory()
        let blocks = Self.blocks("yaml")
        #expect(blocks.count == 11)
        for key in ["legacy.key", "backup.key", "backup-beat.key"] {
            directory.write("key-of-\(key.hashValue)-0000", to: key)
        }
        // The first block has people, schedules and the policy; the others add integrations, heartbeats and policies.
        let policies = blocks[3].split(separator: "receivers:")[0].replacing("policies:\n", with: "")
        let own = blocks[0].replacing("receivers:\n", with: policies + "receivers:\n")
        let digests = "digests:" + blocks[3].split(separator: "digests:")[1]
        directory.write(own + digests + blocks[2] + blocks[4] + blocks[5] + blocks[6], to: "oncall.yml")
        let names = [
            "ada_push", "ada_phone", "bob_push", "team_lead", "engineering_manager", "director_engineering",
            "pagerduty",
            "slack_critical", "email_oncall", "slack_alerts", "email_team", "slack_monitoring",
        ]
        func receivers(_ names: [String]) -> String { names.map { "- {name: \($0)}\n" }.joined() }
        directory.write("scrape_configs: []\n", to: "prometheus.yml")
        directory.write(blocks[1] + receivers(names), to: "alertmanager.yml")
        let main = directory.write(
            "prometheus_config: prometheus.yml\nalertmanager_config: alertmanager.yml\noncall_config: oncall.yml\n",
            to: "tribune.yml")
        let good = try TribuneProgram.run(["check", "config", main])
        #expect(good.exit == .code(0), "\(good.output)\(good.errors)")

        directory.write(blocks[1] + receivers(Array(names.dropFirst())), to: "alertmanager.yml")
        let bad = try TribuneProgram.run(["check", "config", main])
        #expect(
            bad.output.contains("people[0].contacts[0].receiver: alertmanager_config has no receiver \"ada_push\""),
            "\(bad.output)")
    }
}
