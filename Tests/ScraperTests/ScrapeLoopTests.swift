import MetricModel
import Scraper
import Testing

@Suite struct ScrapeLoopTests {
    private let timing = ScrapeLoop.Timing(interval: .seconds(10), timeout: .seconds(5), offset: .seconds(3))

    private func at(_ seconds: Double) -> Timestamp { Timestamp(milliseconds: Int64(seconds * 1000)) }

    @Test func scrapesLieOnTheGridOfTheInterval() {
        var loop = ScrapeLoop(timing)
        #expect(loop.started(at: at(101)) == [.wake(at: at(103), timer: 1)])
        #expect(loop.timerFired(1, at: at(103.001)) == [.scrape(at: at(103), timeout: .seconds(5))])
        #expect(loop.scrapeEnded(at: at(103.2)) == [.wake(at: at(113), timer: 2)])
        #expect(loop.timerFired(2, at: at(113.5)) == [.scrape(at: at(113.5), timeout: .seconds(5))])
    }

    @Test func aScrapeOnTheGridIsFollowedByTheNextPoint() {
        var loop = ScrapeLoop(timing)
        #expect(loop.started(at: at(103)) == [.wake(at: at(113), timer: 1)])
    }

    @Test func slowScrapesSkipWhatTheyMiss() {
        var loop = ScrapeLoop(timing)
        _ = loop.started(at: at(101))
        _ = loop.timerFired(1, at: at(103))
        #expect(loop.scrapeEnded(at: at(113.1)) == [.wake(at: at(123), timer: 2)])
    }

    @Test func outdatedTimersDoNothing() {
        var loop = ScrapeLoop(timing)
        _ = loop.started(at: at(101))
        let faster = ScrapeLoop.Timing(interval: .seconds(2), timeout: .seconds(1), offset: .zero)
        #expect(loop.timingChanged(faster, at: at(101)) == [.wake(at: at(102), timer: 2)])
        #expect(loop.timerFired(1, at: at(103)) == [])
        #expect(loop.timerFired(2, at: at(102)) == [.scrape(at: at(102), timeout: .seconds(1))])
        #expect(loop.timerFired(2, at: at(102)) == [], "one scrape at a time")
    }

    @Test func unchangedTimingKeepsTheSchedule() {
        var loop = ScrapeLoop(timing)
        _ = loop.started(at: at(101))
        let before = loop
        #expect(loop.timingChanged(timing, at: at(102)) == [])
        #expect(loop == before)
    }

    @Test func goneTargetsEndWhenTheyWouldHaveBeenScraped() {
        var loop = ScrapeLoop(timing)
        _ = loop.started(at: at(101))
        #expect(loop.targetRemoved(at: at(102)) == [.wake(at: at(103), timer: 2)])
        #expect(loop.timerFired(1, at: at(103)) == [])
        #expect(loop.timerFired(2, at: at(103.4)) == [.endSeries(at: at(103))])
        #expect(loop.state == .ended)
        #expect(loop.targetReturned(at: at(104)) == [])
    }

    @Test func targetsThatGoWhileScrapedEndAfterwards() {
        var loop = ScrapeLoop(timing)
        _ = loop.started(at: at(101))
        _ = loop.timerFired(1, at: at(103))
        #expect(loop.targetRemoved(at: at(104)) == [])
        #expect(loop.scrapeEnded(at: at(105)) == [.wake(at: at(113), timer: 2)])
        #expect(loop.timerFired(2, at: at(113)) == [.endSeries(at: at(113))])
    }

    @Test func targetsThatReturnGoOn() {
        var waiting = ScrapeLoop(timing)
        _ = waiting.started(at: at(101))
        _ = waiting.targetRemoved(at: at(102))
        #expect(waiting.targetReturned(at: at(102.5)) == [.wake(at: at(103), timer: 3)])
        #expect(waiting.timerFired(3, at: at(103)) == [.scrape(at: at(103), timeout: .seconds(5))])
        #expect(waiting.targetRemoved(at: at(104)) == [])
        #expect(waiting.targetReturned(at: at(104)) == [])
        #expect(waiting.scrapeEnded(at: at(105)) == [.wake(at: at(113), timer: 4)])
    }

    @Test func clocksThatJumpBackDoNotStopTheLoop() {
        var loop = ScrapeLoop(timing)
        _ = loop.started(at: at(1000))
        #expect(loop.timerFired(1, at: at(500)) == [.scrape(at: at(500), timeout: .seconds(5))])
        #expect(loop.scrapeEnded(at: at(501)) == [.wake(at: at(503), timer: 2)])
    }

    /// Whatever the order of events, there is at most one scrape in progress, and the loop can always continue.
    @Test func everyEventOrderLeavesOneThingPending() {
        for code in 0..<4096 {
            var loop = ScrapeLoop(timing)
            var now = 100.0
            var timers: [Int] = []
            var scraping = 0
            func take(_ actions: [ScrapeLoop.Action]) {
                for action in actions {
                    switch action {
                    case .wake(let time, let timer):
                        #expect(time > at(now))
                        timers = [timer]
                    case .scrape: scraping += 1
                    case .endSeries: timers = []
                    }
                }
            }
            take(loop.started(at: at(now)))
            var rest = code
            for _ in 0..<6 {
                now += 1.7
                switch rest % 4 {
                case 0:
                    if let timer = timers.first, scraping == 0 {
                        timers = []; take(loop.timerFired(timer, at: at(now)))
                    }
                case 1: if scraping > 0 { scraping -= 1; take(loop.scrapeEnded(at: at(now))) }
                case 2: take(loop.targetRemoved(at: at(now)))
                default: take(loop.targetReturned(at: at(now)))
                }
                rest /= 4
                #expect(scraping <= 1)
                #expect(loop.state == .ended || timers.count + scraping == 1, "\(code): \(loop.state)")
            }
        }
    }
}
