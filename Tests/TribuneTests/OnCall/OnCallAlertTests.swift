import CurlHTTP
import Foundation
import JSON
import Runtime
import TestSupport
import Testing

/// The shipped alerts about on-call itself, in a Tribune that scrapes itself.
@Suite struct OnCallAlertTests {
    @Test func `a gap in a schedule and a page that nobody answers are alerts of the shipped rules`() throws {
        let rules = try String(contentsOfFile: "\(ReferenceTests.root)/rules/tribune.yml", encoding: .utf8)
        let world = try PagingWorld(
            policy: "",
            files: [
                "prometheus.yml": """
                global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}
                rule_files: [rules.yml]
                scrape_configs: [{job_name: tribune, static_configs: [{targets: ['127.0.0.1:PORT']}]}]
                """,
                // As they are, without the wait.
                "rules.yml": rules.replacing("for: 5m", with: "for: 0s"),
                "oncall.yml": """
                people: [{name: ada, contacts: [{receiver: first}]}]
                schedules:
                - {name: always, layers: [{people: [ada], from: "2020-01-06 09:00"}]}
                - {name: mondays, layers: [{people: [ada], from: "2020-01-06 09:00", only: [{days: [monday]}]}]}
                policies:
                - {name: default, steps: [{notify: [{person: ada}]}], repeat_after: 1s}
                receivers: [{name: pages, policy: default}]
                """,
            ],
            // What on-call says of itself opens no page, which nobody would answer either.
            routes: """
                {receiver: third, routes: [{receiver: pages, matchers: ['alertname="Down"'], group_by: [alertname], group_wait: 0s}]}
                """)
        func firing() -> [String] {
            guard let answer = try? world.tribune.get("/api/v1/alerts"), let json = try? JSON(parsing: answer.body)
            else { return [] }
            return (json["data"]?["alerts"]?.elements ?? []).filter { $0["state"]?.text == "firing" }.map {
                "\($0["labels"]?["alertname"]?.text ?? "") \($0["labels"]?["schedule"]?.text ?? "")"
            }
        }
        #expect(
            Loopback.eventually { firing().contains("TribuneScheduleGap mondays") }, "\(firing()) \(world.tribune.log)")
        #expect(!firing().contains("TribuneScheduleGap always") && !firing().contains("TribunePagesNotAnswered "))
        try world.post("Down")
        #expect(
            Loopback.eventually { firing().contains("TribunePagesNotAnswered ") }, "\(firing()) \(world.tribune.log)")
        let page = try #require(world.page("Down")?["page"]?.text)
        #expect(try world.tribune.post("/api/v1/oncall/pages/\(page)/acknowledge").status == 200)
        #expect(Loopback.eventually { !firing().contains("TribunePagesNotAnswered ") }, "\(firing())")
    }
}
