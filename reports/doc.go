// Package reports is what a run leaves behind: result.json with its JSON
// Schema, report.html for planners, junit.xml for pipelines, series.csv for
// spreadsheets, and the summary on the terminal; and what several results are
// beside one another, compare.html and compare.json.
//
// result.go is the contract: every figure is a field, and beside the field
// stand its unit and its definition. The schema and the definitions inside
// result.json are made from there, and every number that is shown anywhere
// carries the JSON pointer (RFC 6901) of the figure it shows.
//
// To change the colours of the page, of the map above all, see theme.go; its
// words, in English and in Korean, are in messages.go. browser/ opens the page in
// Chromium.
//
// The package reads results only. It imports neither the simulation nor the
// service, so a result made by anything that keeps the contract can be shown.
package reports
