import MetricModel
import MetricStore
import Scraper
import Testing

@testable import RemoteWrite

@Suite struct SendAttemptsTests {
    @Test func pausesDoubleUpToTheMaximum() {
        var attempts = SendAttempts(.init())
        var pauses: [Int64] = []
        for _ in 0..<10 {
            guard case .retry(let pause, _) = attempts.ended(.failed("x")) else {
                Issue.record("no retry")
                return
            }
            pauses.append(pause.rawValue)
        }
        #expect(pauses == [30, 60, 120, 240, 480, 960, 1920, 3840, 5000, 5000])
    }

    @Test func theReceiverMayAskForALongerPause() {
        var attempts = SendAttempts(.init())
        let action = attempts.ended(.answered(status: 503, retryAfter: "7", message: "m"))
        #expect(action == .retry(after: .seconds(7), reason: "status 503: m"))
        #expect(
            attempts.ended(.answered(status: 503, retryAfter: "x", message: "m"))
                == .retry(after: Milliseconds(rawValue: 60), reason: "status 503: m"))
    }

    @Test func otherErrorsEndTheAttempts() {
        var attempts = SendAttempts(.init())
        #expect(attempts.ended(.answered(status: 204, retryAfter: nil, message: "")) == .delivered)
        #expect(attempts.ended(.answered(status: 429, retryAfter: "1", message: "m")) == .giveUp("status 429: m"))
        let old = SendAttempts.Result.answered(status: 400, retryAfter: nil, message: "out of order sample")
        #expect(attempts.ended(old) == .old("status 400: out of order sample", mayHaveArrived: false))
        _ = attempts.ended(.failed("timeout"))
        #expect(attempts.ended(old) == .old("status 400: out of order sample", mayHaveArrived: true))
        #expect(
            attempts.ended(.answered(status: 400, retryAfter: nil, message: "bad labels"))
                == .giveUp("status 400: bad labels"))
    }

    @Test func aSuccessOfVersion2SaysWhatWasWritten() {
        var attempts = SendAttempts(.init())
        let answer = SendAttempts.Result.answered(status: 204, retryAfter: nil, message: "", isConfirmed: false)
        guard case .giveUp = attempts.ended(answer) else {
            Issue.record("taken as delivered")
            return
        }
    }

    @Test func aRequestOfAnEarlierProcessMayHaveArrived() {
        var attempts = SendAttempts(.init(), mayHaveArrived: true)
        let old = SendAttempts.Result.answered(status: 400, retryAfter: nil, message: "out of order sample")
        #expect(attempts.ended(old) == .old("status 400: out of order sample", mayHaveArrived: true))
    }

    @Test func shardsFollowTheRate() {
        var queue = RemoteWriteSettings.Queue()
        queue.maximumShards = 5
        var calculation = ShardCalculation(queue)
        // 1000 samples a second, each of which takes 3 ms.
        for _ in 0..<5 {
            calculation.passed(.init(samplesIn: 10_000, kept: 10_000, samplesOut: 10_000, outSeconds: 30))
        }
        #expect(calculation.shards == 3)
        for _ in 0..<20 {
            calculation.passed(.init(samplesIn: 10_000, kept: 10_000, samplesOut: 1000, outSeconds: 100))
        }
        #expect(calculation.shards == 5)
        // One that is behind keeps its senders.
        for _ in 0..<40 {
            calculation.passed(
                .init(samplesIn: 100, kept: 100, samplesOut: 10_000, outSeconds: 1, delaySeconds: 60))
        }
        #expect(calculation.shards == 5)
        for _ in 0..<40 { calculation.passed(.init(samplesIn: 100, kept: 100, samplesOut: 10_000, outSeconds: 1)) }
        #expect(calculation.shards == 1)
    }
}
