import MetricModel
import Testing

@testable import OnCallRunner

@Suite struct SlackSignatureTests {
    private static let secret = "8f742231b10e8888abcd99yyyzzz85a5"
    private static let body = Array(
        ("token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
            + "&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
            + "%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
            + "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c").utf8)
    private static let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    private static let sent = Timestamp(milliseconds: 1_531_420_618_000)

    @Test func `the request in Slack's documentation is taken, once`() {
        let slack = SlackSignature()
        func refusal(_ signature: String = Self.signature, at now: Timestamp) -> ChatRefusal? {
            slack.refusal(
                body: Self.body, timestamp: "1531420618", signature: signature, secret: Self.secret, at: now)
        }
        #expect(refusal(at: Self.sent + .minutes(5)) == nil)
        #expect(refusal(at: Self.sent) == .replayed)
        #expect(refusal("v0=" + String(repeating: "0", count: 64), at: Self.sent) == .forged)
        #expect(refusal("", at: Self.sent) == .forged)
    }

    @Test func `a request outside five minutes is refused, however it is signed`() {
        for late in [Self.sent + .minutes(5) + .seconds(1), Self.sent - .minutes(5) - .seconds(1)] {
            let refusal = SlackSignature().refusal(
                body: Self.body, timestamp: "1531420618", signature: Self.signature, secret: Self.secret, at: late)
            #expect(refusal == .late)
        }
        for time in ["", "x", "-1", "99999999999999999999"] {
            let refusal = SlackSignature().refusal(
                body: [], timestamp: time, signature: SlackSignature.text([], time, Self.secret), secret: Self.secret,
                at: Self.sent)
            #expect(refusal == .forged)
        }
    }
}
