//! The HTML report in a real browser.

use bifocal::eval::comparison;
use bifocal::eval::comparison::Comparison;
use serde_json::Value;

use crate::browser::Page;
use crate::util::Workplace;

#[path = "../../src/eval/report/sample.rs"]
mod sample;

/// The report of a comparison, opened; the folder must outlive the page.
fn opened(comparison: &Comparison) -> (Workplace, Page) {
    let place = Workplace::new();
    let file = place.write("report.html", bifocal::eval::report::html(comparison));
    let mut page = Page::new();
    page.open_file(&file);
    (place, page)
}

fn assert_quiet(page: &mut Page) {
    assert_eq!(page.errors(), Vec::<String>::new());
    let requests = page.requests();
    assert!(requests.iter().all(|url| url.starts_with("file://") && url.ends_with("report.html")), "{requests:?}");
    assert_eq!(requests.len(), 1);
}

/// How far the page is wider than the window, and by what.
fn overflow(page: &mut Page) -> Value {
    page.eval(
        "(() => { const over = document.documentElement.scrollWidth - innerWidth; if (over <= 0) return 0; \
         const isInBox = element => element.closest('.scroll, pre, nav, svg'); \
         return over + ' by ' + [...document.querySelectorAll('body *')].filter(element => \
         element.getBoundingClientRect().right > innerWidth + 1 && !isInBox(element)) \
         .map(element => element.tagName + '.' + element.className).slice(0, 8).join(' '); })()",
    )
}

fn is_shown(page: &mut Page, selector: &str) -> bool {
    let shown = page.eval(&format!(
        "(() => {{ const element = document.querySelector('{selector}'); return element !== null && element.checkVisibility(); }})()"
    ));
    shown == true
}

#[test]
fn a_point_of_the_scatter_opens_its_query() {
    let comparison = sample::comparison(225);
    let (_place, mut page) = opened(&comparison);
    assert!(page.text("#detail").contains("Choose a point"));
    page.picture("report-light");
    page.click("#scatter .point[data-idx='0']");
    let text = page.text("#detail .query-text");
    let query = comparison.queries.iter().find(|query| query.text == text).expect("the text of a query");
    let differences = &comparison.plans[5].per_query["ndcg@10"];
    let largest =
        differences.iter().zip(&comparison.plans[0].per_query["ndcg@10"]).map(|(after, before)| after - before);
    let (largest, _) = largest.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    assert_eq!(query.id, comparison.queries[largest].id);
    assert_eq!(page.eval("document.querySelectorAll('#detail tbody tr').length"), 6);
    let changed = comparison.plans[5].changed.iter().find(|changed| changed.query == largest).unwrap();
    assert_eq!(page.eval("document.querySelectorAll('#detail .moved li').length"), changed.moved.len());
    assert!(page.text("#detail .moved").contains(&changed.moved[0].title));
    page.picture("report-query");
    assert_quiet(&mut page);
}

#[test]
fn the_scatter_is_walked_by_keys() {
    let (_place, mut page) = opened(&sample::comparison(60));
    page.eval("document.querySelector('#scatter .point[tabindex=\"0\"]').focus()");
    page.press("ArrowRight");
    assert_eq!(page.eval("document.activeElement.dataset.idx"), "1");
    let second = page.text("#detail .query-text");
    page.press("ArrowLeft");
    assert_eq!(page.eval("document.activeElement.dataset.idx"), "0");
    assert_ne!(page.text("#detail .query-text"), second);
    assert_eq!(page.eval("document.querySelectorAll('#scatter .point[tabindex=\"0\"]').length"), 1);
}

#[test]
fn selects_redraw_the_plots() {
    let comparison = sample::comparison(60);
    let (_place, mut page) = opened(&comparison);
    let caption = page.text("#scatter-caption");
    assert!(caption.contains("hybrid-rerank is better on"), "{caption}");
    let places = "[...document.querySelectorAll('#scatter .point')].map(point => point.getAttribute('cx')).join()";
    let before = page.eval(places);
    page.eval("(() => { const select = document.querySelector('#plan-x'); select.value = '2'; select.dispatchEvent(new Event('change')); })()");
    assert_ne!(page.eval(places), before);
    page.eval("(() => { const select = document.querySelector('#measure'); select.value = '2'; select.dispatchEvent(new Event('change')); })()");
    assert_ne!(page.text("#scatter-caption"), caption);
    assert_eq!(page.eval("document.querySelector('#scatter .label').textContent"), "hybrid");
    // The bars show one measure at a time.
    assert!(
        is_shown(&mut page, "[data-panel=bars][data-idx=\"0\"]")
            && !is_shown(&mut page, "[data-panel=bars][data-idx=\"1\"]")
    );
    page.eval("(() => { const select = document.querySelector('[data-panels=bars]'); select.value = '1'; select.dispatchEvent(new Event('change')); })()");
    assert!(
        !is_shown(&mut page, "[data-panel=bars][data-idx=\"0\"]")
            && is_shown(&mut page, "[data-panel=bars][data-idx=\"1\"]")
    );
    assert_quiet(&mut page);
}

#[test]
fn the_table_of_queries_is_found_in_sorted_and_opened() {
    let comparison = sample::comparison(60);
    let (_place, mut page) = opened(&comparison);
    let rows = "document.querySelectorAll('#query-table > tbody > tr').length";
    assert_eq!(page.eval(rows), 25);
    page.click("#more");
    assert_eq!(page.eval(rows), 60);
    page.click("#query-table thead th:nth-child(2) button");
    assert_eq!(page.eval("document.querySelector('#query-table thead th:nth-child(2)').ariaSort"), "ascending");
    let column = "[...document.querySelectorAll('#query-table > tbody > tr > td:nth-child(2)')].map(cell => \
                  Number(cell.textContent.replace('−', '-')))";
    assert_eq!(page.eval(&format!("{column}.every((value, idx, all) => idx === 0 || all[idx - 1] <= value)")), true);
    page.click("#find");
    page.type_text("propeller supersonic");
    let expected =
        comparison.queries.iter().filter(|query| query.text.contains("propeller") && query.text.contains("supersonic"));
    let expected = expected.count();
    assert!(expected > 0 && expected < 25);
    assert_eq!(page.eval(rows), expected);
    page.click("#query-table tbody th button");
    assert_eq!(page.eval("document.querySelector('#query-table tbody th button').ariaExpanded"), "true");
    assert!(is_shown(&mut page, "#query-table .opened .query-text"));
    page.press("Enter");
    assert_eq!(page.eval("document.querySelectorAll('#query-table .opened').length"), 0);
    assert_quiet(&mut page);
}

#[test]
fn a_phone_needs_no_sideways_scrolling() {
    for (name, comparison) in [("plain", sample::comparison(60)), ("hostile", sample::hostile(40))] {
        let (_place, mut page) = opened(&comparison);
        page.set_viewport(360, 740);
        page.wait_until("document.querySelector('#scatter svg').getBoundingClientRect().width <= 360");
        page.click("#scatter .point[data-idx='0']");
        page.eval("document.querySelectorAll('details').forEach(details => { details.open = true; })");
        assert_eq!(overflow(&mut page), 0, "{name}");
        page.picture(&format!("report-phone-{name}"));
        page.set_media("screen", "dark");
        page.set_viewport(1280, 900);
        assert_eq!(overflow(&mut page), 0, "{name}");
        page.eval("document.querySelectorAll('details').forEach(details => { details.open = false; })");
        page.picture(&format!("report-dark-{name}"));
    }
}

#[test]
fn paper_has_everything_but_the_controls() {
    let (place, mut page) = opened(&sample::comparison(60));
    page.set_media("print", "dark");
    for hidden in ["nav", ".controls", "#more", "#find"] {
        assert!(!is_shown(&mut page, hidden), "{hidden}");
    }
    for shown in
        ["[data-panel=bars][data-idx=\"3\"]", "#scatter svg", "#complementarity table", "#plans pre code", ".changes"]
    {
        assert!(is_shown(&mut page, shown), "{shown}");
    }
    // Paper is white whatever the screen prefers.
    assert_eq!(page.eval("getComputedStyle(document.documentElement).getPropertyValue('--ink')"), "#1d2126");
    assert!(fs_err::read(page.pdf("report")).unwrap().starts_with(b"%PDF"));
    drop(place);
}

#[test]
fn without_scripts_the_static_parts_are_there() {
    let place = Workplace::new();
    let file = place.write("report.html", bifocal::eval::report::html(&sample::comparison(60)));
    let mut page = Page::new();
    page.set_scripts(false);
    page.open_file(&file);
    for shown in [
        "#measures table",
        "[data-panel=bars][data-idx=\"2\"]",
        "#latency svg",
        "#recall svg",
        "#reranking svg",
        "noscript p",
    ] {
        assert!(is_shown(&mut page, shown), "{shown}");
    }
    assert!(!is_shown(&mut page, ".controls") && !is_shown(&mut page, "#scatter"));
    page.picture("report-without-scripts");
    assert_quiet(&mut page);
}

#[test]
fn a_plan_alone_has_its_worst_queries_first() {
    let mut comparison = sample::comparison(60);
    comparison.plans.truncate(1);
    let (_place, mut page) = opened(&comparison);
    assert!(!is_shown(&mut page, "#scatter") && !is_shown(&mut page, "#plan-x") && is_shown(&mut page, "#find"));
    let worst = comparison.plans[0].per_query["ndcg@10"].iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(page.text("#query-table tbody td"), format!("{worst:.4}"));
    assert_quiet(&mut page);
}

#[test]
fn hostile_texts_do_not_run() {
    let (_place, mut page) = opened(&sample::hostile(40));
    page.click("#scatter .point[data-idx='0']");
    page.click("#query-table tbody th button");
    assert!(page.text("#detail .query-text").starts_with("</script><script>"));
    assert_eq!(page.eval("typeof window.broken"), "undefined");
    assert_eq!(page.eval("document.querySelectorAll('img').length"), 0);
    assert_quiet(&mut page);
}
