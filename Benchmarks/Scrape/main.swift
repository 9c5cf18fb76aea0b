// Scrapes a synthetic fleet and prints the cost of a scrape, compared with others at the same time: loops that only
// receive the same bodies, over the scraper's connections and with libcurl, and Prometheus if it is installed. Each is
// a separate process. Counted: the CPU time of every thread of each process, including HTTP, after each target was
// scraped twice.
// Usage: swift run -c release ScrapeBenchmark [targets] [series] [interval, s] [seconds]
import Glibc

switch CommandLine.arguments.dropFirst().first {
case "fleet": try Fleet.serve(CommandLine.arguments.dropFirst(2).compactMap { Int($0) })
case "tribune": try ScrapingProcess.tribune(CommandLine.arguments.dropFirst(2).compactMap { Int($0) })
case "receive": try ScrapingProcess.receive(CommandLine.arguments.dropFirst(2).compactMap { Int($0) }, agent: "receive")
case "libcurl":
    let numbers = CommandLine.arguments.dropFirst(2).compactMap { Int($0) }
    try ScrapingProcess.receive(numbers, agent: "libcurl", user: "libcurl@")
default:
    let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
    try ScrapeComparison(
        targets: numbers.first ?? 50, series: numbers.dropFirst().first ?? 2000,
        interval: numbers.dropFirst(2).first ?? 5, seconds: numbers.dropFirst(3).first ?? 30
    ).run()
}
