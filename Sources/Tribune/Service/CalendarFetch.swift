internal import ConfigurationFields
internal import CurlHTTP
internal import MetricModel
internal import OnCall
internal import OnCallRunner
internal import Runtime

/// Fetches calendars of schedules from files and over HTTP. May be used from any thread.
struct CalendarFetch: Sendable {
    private let client = HTTPClient()

    /// The bytes of the calendar at `source`.
    ///
    /// - Parameter isCancelled: asked about once a second; `true` ends the request.
    @Sendable func bytes(
        _ source: CalendarSource, _ isCancelled: @escaping @Sendable () -> Bool
    ) throws(CalendarFetchError) -> [UInt8] {
        switch source.place {
        case .file(let path):
            do throws(FileText.ReadError) { return try FileText.bytes(path, limit: CalendarFile.byteLimit) } catch {
                throw CalendarFetchError(error.description)
            }
        case .url(let secret):
            do throws(HTTPFailure) {
                let url = try secret.read()
                var request = HTTPRequest(url: url, headers: [("Accept", "text/calendar"), ("User-Agent", "Tribune")])
                request.maximumBodyBytes = CalendarFile.byteLimit
                try source.http.apply(to: &request)
                let response = try client.send(request, isCancelled: isCancelled)
                guard response.status == 200 else {
                    throw HTTPFailure(.other, "expected status 200, got \(response.status)")
                }
                return response.body
            } catch {
                throw CalendarFetchError(error.message)
            }
        }
    }

    /// `roster` with its calendars as they are now, for commands.
    func roster(_ roster: Roster, at now: Timestamp) throws(CalendarFetchError) -> Roster {
        var book = PageBook(roster)
        for schedule in roster.schedules.values.sorted(by: { $0.name < $1.name }) {
            guard let source = schedule.source else { continue }
            let bytes: [UInt8]
            do throws(CalendarFetchError) { bytes = try self.bytes(source, { false }) } catch {
                throw CalendarFetchError("the calendar of the schedule \"\(schedule.name)\": \(error)")
            }
            do throws(CalendarError) {
                let reading = try CalendarFile(bytes).shifts(
                    in: CalendarSource.window(at: now), zone: schedule.zone, people: CalendarPeople(roster))
                for line in reading.unknown {
                    Console.error(
                        "warning: \(schedule.name): the event in line \(line) names nobody, or more than one person")
                }
                book.calendarRead(schedule.name, reading.shifts)
            } catch {
                throw CalendarFetchError("the calendar of the schedule \"\(schedule.name)\": \(error)")
            }
        }
        return book.roster
    }
}
