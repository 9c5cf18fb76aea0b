import MetricModel
import Notification
import RuleModel
import Runtime
import Testing
import YAML

@Suite struct TimeIntervalTests {
    private func configuration(_ intervals: String, route: String = "") throws -> NotificationConfiguration {
        let text = """
            route: {receiver: a, routes: [{matchers: [x=y]\(route)}]}
            receivers: [{name: a, webhook_configs: [{url: "http://127.0.0.1:9/"}]}]
            time_intervals:
            - name: t
              time_intervals: [\(intervals)]
            """
        return try NotificationConfiguration(try #require(try YAML.parse(text, file: "am.yml").first), file: "am.yml")
    }

    private func moment(_ text: String) throws -> Timestamp {
        Timestamp(milliseconds: try #require(RFC3339.milliseconds(parsing: text)))
    }

    /// Times inside and outside the interval.
    private static let intervals: [(interval: String, within: [String], outside: [String])] = [
        ("{}", ["1999-01-01T00:00:00Z"], []),
        (
            "{times: [{start_time: '09:00', end_time: '17:30'}, {start_time: 23:00, end_time: '24:00'}]}",
            ["2026-11-21T09:00:00Z", "2026-11-21T17:29:59Z", "2026-11-21T23:59:59Z"],
            ["2026-11-21T08:59:59Z", "2026-11-21T17:30:00Z", "2026-11-22T00:00:00Z"]
        ),
        (
            "{weekdays: ['monday:friday', Sunday]}", ["2026-11-20T23:59:59Z", "2026-11-22T00:00:00Z"],
            ["2026-11-21T12:00:00Z"]
        ),
        (
            "{days_of_month: ['1:2', '-3:-2']}",
            ["2026-11-01T00:00:00Z", "2026-11-28T00:00:00Z", "2026-11-29T23:59:59Z", "2024-02-27T00:00:00Z"],
            ["2026-11-03T00:00:00Z", "2026-11-30T00:00:00Z", "2026-11-27T23:59:59Z", "2024-02-29T00:00:00Z"]
        ),
        ("{days_of_month: ['29:31']}", ["2024-02-29T00:00:00Z", "2026-12-31T00:00:00Z"], ["2026-02-28T00:00:00Z"]),
        ("{days_of_month: ['-31:-29']}", ["2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z"], ["2026-02-01T00:00:00Z"]),
        ("{days_of_month: ['27:-1']}", ["2026-02-28T00:00:00Z"], ["2026-02-26T00:00:00Z"]),
        (
            "{months: ['march:5', December], years: ['2025:2026', 2030]}",
            ["2025-03-01T00:00:00Z", "2026-05-31T23:59:59Z", "2030-12-31T23:59:59Z"],
            ["2024-12-31T23:59:59Z", "2026-06-01T00:00:00Z", "2027-03-01T00:00:00Z"]
        ),
        ("{weekdays: []}", [], ["2026-11-20T12:00:00Z"]),
        // Clocks of Berlin go forward on 2026-03-29 at 01:00 UTC: 02:30 does not exist on that day.
        (
            "{times: [{start_time: '02:00', end_time: '03:00'}], location: Europe/Berlin}",
            ["2026-03-28T01:00:00Z", "2026-03-30T00:00:00Z"],
            ["2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]
        ),
        // They go back on 2026-10-25 at 01:00 UTC: 02:30 comes twice.
        (
            "{times: [{start_time: '02:00', end_time: '03:00'}], location: Europe/Berlin}",
            ["2026-10-25T00:00:00Z", "2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z", "2026-10-25T01:59:59Z"],
            ["2026-10-24T23:59:59Z", "2026-10-25T02:00:00Z"]
        ),
        // The weekday is that of the time zone.
        ("{weekdays: [saturday], location: Australia/Sydney}", ["2026-11-20T13:00:00Z"], ["2026-11-20T12:59:59Z"]),
    ]

    @Test(arguments: intervals)
    func momentsLieWithinOrOutside(interval: String, within: [String], outside: [String]) throws {
        let intervals = try #require(try configuration(interval).timeIntervals["t"])
        for text in within { #expect(intervals[0].contains(try moment(text)), "\(text)") }
        for text in outside { #expect(!intervals[0].contains(try moment(text)), "\(text)") }
    }

    private static let faults: [(interval: String, message: String)] = [
        (
            "{times: [{start_time: '9:00', end_time: '17:00'}]}",
            "5:42: time_intervals[0].time_intervals[0].times[0].start_time: not a time of the day such as 09:30: \"9:00\""
        ),
        (
            "{times: [{start_time: '24:01', end_time: '25:00'}]}",
            "5:42: time_intervals[0].time_intervals[0].times[0].start_time: not a time of the day such as 09:30: \"24:01\""
        ),
        (
            "{times: [{start_time: '09:00', end_time: '09:00'}]}",
            "5:29: time_intervals[0].time_intervals[0].times[0]: the start must be before the end"
        ),
        (
            "{times: [{start_time: '09:00'}]}",
            "5:29: time_intervals[0].time_intervals[0].times[0]: the field \"end_time\" is required"
        ),
        ("{weekdays: [mon]}", "5:32: time_intervals[0].time_intervals[0].weekdays[0]: invalid value \"mon\""),
        (
            "{weekdays: ['friday:monday']}",
            "5:32: time_intervals[0].time_intervals[0].weekdays[0]: the end is before the start"
        ),
        (
            "{days_of_month: [0]}",
            "5:37: time_intervals[0].time_intervals[0].days_of_month[0]: invalid value \"0\""
        ),
        (
            "{days_of_month: [32]}",
            "5:37: time_intervals[0].time_intervals[0].days_of_month[0]: invalid value \"32\""
        ),
        (
            "{days_of_month: ['-2:5']}",
            "5:37: time_intervals[0].time_intervals[0].days_of_month[0]: if the first day counts from the end of the month, the last day must too"
        ),
        (
            "{days_of_month: ['10:-25']}",
            "5:37: time_intervals[0].time_intervals[0].days_of_month[0]: the last day is always before the first"
        ),
        (
            "{months: ['1:2:3']}",
            "5:30: time_intervals[0].time_intervals[0].months[0]: expected one value, or two as in a:b"
        ),
        ("{months: [13]}", "5:30: time_intervals[0].time_intervals[0].months[0]: invalid value \"13\""),
        ("{years: [[1]]}", "5:29: time_intervals[0].time_intervals[0].years[0]: expected text, got a list"),
        ("{hours: []}", "5:21: time_intervals[0].time_intervals[0].hours: unknown field \"hours\""),
        (
            "{location: ../x}",
            "5:31: time_intervals[0].time_intervals[0].location: time zone \"../x\": not the name of a time zone"
        ),
    ]

    @Test(arguments: faults)
    func faultsNamePlaceAndField(interval: String, message: String) {
        let error = #expect(throws: YAMLError.self) { try configuration(interval) }
        #expect(error?.description == "am.yml:" + message)
    }

    private static let files: [(file: String, message: String)] = [
        (
            "route: {receiver: a, mute_time_intervals: [t]}\nreceivers: [{name: a}]\ntime_intervals: [{name: t}]",
            "1:8: route: root route must not have any mute time intervals"
        ),
        (
            "route: {receiver: a, routes: [{active_time_intervals: [t, u]}]}\nreceivers: [{name: a}]\ntime_intervals: [{name: t}]",
            "1:59: route.routes[0].active_time_intervals[1]: undefined time interval \"u\" used in route"
        ),
        (
            "route: {receiver: a}\nreceivers: [{name: a}]\ntime_intervals: [{name: t}]\nmute_time_intervals: [{name: t}]",
            "3:18: time_intervals: time interval \"t\" is not unique"
        ),
        (
            "route: {receiver: a}\nreceivers: [{name: a}]\ntime_intervals: [{time_intervals: []}]",
            "3:18: time_intervals[0]: missing name in time interval"
        ),
    ]

    @Test(arguments: files)
    func filesThatDoNotFitTogetherAreRefused(file: String, message: String) {
        let error = #expect(throws: YAMLError.self) {
            try NotificationConfiguration(try #require(try YAML.parse(file, file: "am.yml").first), file: "am.yml")
        }
        #expect(error?.description == "am.yml:" + message)
    }

    @Test func theOlderNameOfTheListIsTaken() throws {
        let text = """
            route: {receiver: a, routes: [{mute_time_intervals: [old], routes: [{matchers: [x=y]}]}]}
            receivers: [{name: a}]
            mute_time_intervals: [{name: old, time_intervals: [{years: [2026]}]}]
            """
        let configuration = try NotificationConfiguration(try #require(try YAML.parse(text).first), file: "")
        let muted = configuration.route.routes[0]
        #expect(configuration.suppression(of: muted, at: try moment("2026-01-01T00:00:00Z")) == .muteTimeInterval)
        #expect(configuration.suppression(of: muted, at: try moment("2027-01-01T00:00:00Z")) == nil)
        // Child routes are not muted with it.
        #expect(configuration.suppression(of: muted.routes[0], at: try moment("2026-01-01T00:00:00Z")) == nil)
    }

    // MARK: In the queue

    /// A queue whose only child route is muted from 09:00 to 10:00, or active only then.
    private func queue(_ field: String) throws -> NotificationQueue {
        NotificationQueue(
            try configuration(
                "{times: [{start_time: '09:00', end_time: '10:00'}]}",
                route: ", group_wait: 0s, group_interval: 5m, \(field): [t]"))
    }

    private func alert(since start: Timestamp, resolved end: Timestamp? = nil) -> Alert {
        Alert(
            labels: ["alertname": "A", "x": "y"], annotations: [:], startsAt: start,
            endsAt: end ?? start + .hours(24), isResolved: end != nil, generatorURL: "", value: 1)
    }

    @Test(arguments: [("mute_time_intervals", "09:00", "10:00"), ("active_time_intervals", "08:00", "09:00")])
    func aQuietRouteSendsNothingUntilItsTimeIsOver(field: String, quiet: String, loud: String) throws {
        var queue = try queue(field)
        let start = try moment("2026-11-20T\(quiet):00Z")
        queue.received([alert(since: start)], urgent: true, at: start)
        let reason: Suppression = field.hasPrefix("mute") ? .muteTimeInterval : .activeTimeInterval
        for minutes in stride(from: Int64(0), to: 60, by: 5) {
            #expect(queue.advanced(to: start + .minutes(minutes)).isEmpty)
            #expect(queue.takeSuppressed() == [reason: 1])
        }
        #expect(queue.advanced(to: try moment("2026-11-20T\(loud):00Z")).map(\.notification.isResolved) == [false])
        #expect(queue.takeSuppressed().isEmpty)
    }

    @Test func anEndWithinAMutedTimeIsToldWhenItIsOver() throws {
        var queue = try queue("mute_time_intervals")
        let start = try moment("2026-11-20T08:58:00Z")
        queue.received([alert(since: start)], at: start)
        queue.delivered(try #require(queue.advanced(to: start).first).id, at: start)
        let end = start + .minutes(5)
        queue.received([alert(since: start, resolved: end)], at: end)
        for minutes in stride(from: Int64(5), through: 60, by: 5) {
            #expect(queue.advanced(to: start + .minutes(minutes)).isEmpty)
        }
        let told = try #require(queue.advanced(to: try moment("2026-11-20T10:03:00Z")).first)
        #expect(told.notification.isResolved)
        queue.delivered(told.id, at: try moment("2026-11-20T10:03:00Z"))
        #expect(queue.groupCount == 0)
    }

    @Test func whatBeginsAndEndsWithinAMutedTimeIsForgotten() throws {
        var queue = try queue("mute_time_intervals")
        let start = try moment("2026-11-20T09:10:00Z")
        queue.received([alert(since: start)], at: start)
        #expect(queue.advanced(to: start).isEmpty)
        queue.received([alert(since: start, resolved: start + .minutes(1))], at: start + .minutes(1))
        #expect(queue.advanced(to: start + .minutes(5)).isEmpty)
        #expect(queue.groupCount == 0)
    }

    @Test func whatWaitsForAnotherTryIsNotSentWithinAMutedTime() throws {
        var queue = try queue("mute_time_intervals")
        let start = try moment("2026-11-20T08:59:59Z")
        queue.received([alert(since: start)], at: start)
        queue.failed(try #require(queue.advanced(to: start).first).id, retryable: true, at: start)
        #expect(queue.advanced(to: start + .seconds(2)).isEmpty)
        #expect(queue.pendingCount == 0)
        var told: [Timestamp] = []
        var now = start
        while told.isEmpty, now < start + .hours(2) {
            now = try #require(queue.nextDeadline)
            told += queue.advanced(to: now).map { _ in now }
        }
        #expect(told == [try moment("2026-11-20T10:00:01Z")])
    }

    @Test func routesWithTheSameMatchersTellEachTheirOwnReceiver() throws {
        let text = """
            route:
              receiver: a
              group_wait: 0s
              routes:
              - {matchers: [x=y], receiver: a, continue: true}
              - {matchers: [x=y], receiver: b, continue: true}
              - {matchers: [x=y], receiver: b, group_by: [x]}
            receivers:
            - {name: a, webhook_configs: [{url: "http://127.0.0.1:9/"}]}
            - {name: b, webhook_configs: [{url: "http://127.0.0.1:9/"}]}
            """
        var queue = NotificationQueue(
            try NotificationConfiguration(try #require(try YAML.parse(text).first), file: ""))
        let now = try moment("2026-11-20T09:10:00Z")
        queue.received([alert(since: now)], at: now)
        let told = queue.advanced(to: now).map { "\($0.receiver) \($0.notification.groupKey)" }
        #expect(told.sorted() == [#"a {}/{x="y"}:{}"#, #"b {}/{x="y"}:{x="y"}"#, #"b {}/{x="y"}:{}"#])
    }
}
