//! Several tenants as one snapshot: what each has, labelled by whose it is.
//!
//! Series have the label [`Owners::LABEL`], log records the attribute of that name in their resource, so that what reads streams,
//! selects, groups or counts by it finds it where every other label is. What had one before has it as [`Owners::ORIGINAL`].
//! Matchers of the label choose tenants before anything is read. Spans have no such attribute, as in Tempo.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, DictionaryArray, StringArray};
use arrow::datatypes::UInt32Type;
use arrow::record_batch::RecordBatch;
use signalbox_model::{Error, Exemplar, Labels, Matcher, MetricMetadata, Owners, Result, Table, Tenant, TimeRange, schema};

use crate::read::metrics::Values;
use crate::read::rows::plan;
use crate::scan::{Place, ScanPart, ScanRequest};
use crate::snapshot::{SeriesHandle, SeriesSamples, Snapshot};

/// One of several tenants.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) mark: Mark,
    pub(crate) snapshot: Snapshot,
}

/// What tells what a tenant has from what others have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark(pub(crate) Tenant);

impl Mark {
    fn labels(&self, labels: &Labels) -> Labels {
        let mut builder = labels.to_builder();
        if let Some(own) = labels.get(Owners::LABEL) {
            builder.set(Owners::ORIGINAL, own);
        }
        builder.set(Owners::LABEL, self.0.as_str());
        builder.build()
    }

    /// The JSON of a resource with the tenant in it.
    fn resource(&self, json: &str) -> String {
        let (key, tenant) = (Owners::LABEL, self.0.as_str());
        let json = match json.contains(key) {
            // Only as a key has it a quote on both sides and a colon behind; in a value the quotes are escaped.
            true => Cow::Owned(json.replace(&format!("\"{key}\":"), &format!("\"{}\":", Owners::ORIGINAL))),
            false => Cow::Borrowed(json),
        };
        match json.strip_prefix('{').map(str::trim_start) {
            None | Some("" | "}") => format!("{{\"{key}\":\"{tenant}\"}}"),
            Some(rest) => format!("{{\"{key}\":\"{tenant}\",{rest}"),
        }
    }

    /// Rows with their tenant in them.
    pub(crate) fn rows(&self, table: Table, rows: RecordBatch) -> Result<RecordBatch> {
        let failed = |error| Error::internal("cannot mark rows with their tenant").with_source(error);
        let schema = rows.schema();
        let Some((at, _)) = schema.column_with_name(schema::RESOURCE).filter(|_| table == Table::Logs) else { return Ok(rows) };
        let resources = rows.column(at).as_dictionary_opt::<UInt32Type>().ok_or_else(|| Error::internal("cannot mark rows: no resources"))?;
        let texts = resources.values().as_string_opt::<i32>().ok_or_else(|| Error::internal("cannot mark rows: resources are no text"))?;
        let marked: StringArray = (0..texts.len()).map(|text| Some(self.resource(texts.value(text)))).collect();
        let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
        columns[at] = Arc::new(DictionaryArray::try_new(resources.keys().clone(), Arc::new(marked)).map_err(failed)?);
        RecordBatch::try_new(schema, columns).map_err(failed)
    }

    /// What is to be read of this tenant: the resources that a test sees have their tenant, too.
    fn request(&self, table: Table, request: &ScanRequest) -> ScanRequest {
        let mut own = request.clone();
        if table == Table::Logs {
            for carried in &mut own.carried {
                let Some(is_shared) = carried.is_shared.take() else { continue };
                let mark = self.clone();
                carried.is_shared = Some(Arc::new(move |column, text| match column {
                    schema::RESOURCE => is_shared(column, &mark.resource(text)),
                    _ => is_shared(column, text),
                }));
            }
        }
        own
    }
}

/// The matchers of a tenant; `None` if one of them says that it is not meant.
fn matchers_of(mark: &Mark, matchers: &[Matcher]) -> Result<Option<Vec<Matcher>>> {
    let mut own = Vec::with_capacity(matchers.len());
    for matcher in matchers {
        match matcher.name.as_str() {
            Owners::LABEL if !matcher.matches(mark.0.as_str()) => return Ok(None),
            Owners::LABEL => {}
            Owners::ORIGINAL => own.push(Matcher::new(Owners::LABEL, matcher.op, &matcher.value)?),
            _ => own.push(matcher.clone()),
        }
    }
    Ok(Some(own))
}

/// The sets of matchers of a tenant; `None` if all say that it is not meant. No set at all means everything.
fn sets_of(mark: &Mark, sets: &[Vec<Matcher>]) -> Result<Option<Vec<Vec<Matcher>>>> {
    let own: Vec<Vec<Matcher>> = sets.iter().filter_map(|set| matchers_of(mark, set).transpose()).collect::<Result<_>>()?;
    Ok((sets.is_empty() || !own.is_empty()).then_some(own))
}

pub(crate) fn select(members: &[Member], matchers: &[Matcher], range: TimeRange, series_max: usize) -> Result<Vec<SeriesHandle>> {
    let mut found: Vec<SeriesHandle> = Vec::new();
    for Member { mark, snapshot } in members {
        let Some(own) = matchers_of(mark, matchers)? else { continue };
        let series = snapshot.select(&own, range, series_max)?;
        found.extend(series.into_iter().map(|handle| SeriesHandle { id: handle.id, labels: mark.labels(&handle.labels) }));
        if found.len() > series_max {
            return Err(Error::limit(format!("more than {series_max} series match")));
        }
    }
    found.sort_by(|left, right| left.labels.cmp(&right.labels));
    Ok(found)
}

pub(crate) fn read(
    members: &[Member],
    series: &[SeriesHandle],
    range: TimeRange,
    wanted: Values,
    visit: &mut dyn FnMut(usize, SeriesSamples<'_>) -> Result<()>,
) -> Result<()> {
    for Member { mark, snapshot } in members {
        let is_own = |handle: &SeriesHandle| handle.labels.get(Owners::LABEL) == Some(mark.0.as_str());
        let positions: Vec<usize> = (0..series.len()).filter(|position| is_own(&series[*position])).collect();
        let own: Vec<SeriesHandle> = positions.iter().map(|position| series[*position].clone()).collect();
        // Numbers of times are those of one reading, and this is one of several.
        let mut numbered = |position: usize, samples: SeriesSamples<'_>| visit(positions[position], SeriesSamples { times_id: 0, ..samples });
        snapshot.metrics.read(&own, range, wanted, &mut numbered)?;
    }
    Ok(())
}

pub(crate) fn label_names(members: &[Member], sets: &[Vec<Matcher>], range: TimeRange) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for Member { mark, snapshot } in members {
        let Some(own) = sets_of(mark, sets)? else { continue };
        let names = snapshot.label_names(&own, range)?;
        if !names.is_empty() {
            found.insert(Owners::LABEL.to_owned());
        }
        found.extend(names.into_iter().map(|name| if name == Owners::LABEL { Owners::ORIGINAL.to_owned() } else { name }));
    }
    Ok(found)
}

pub(crate) fn label_values(members: &[Member], name: &str, sets: &[Vec<Matcher>], range: TimeRange) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for Member { mark, snapshot } in members {
        let Some(own) = sets_of(mark, sets)? else { continue };
        match name {
            // As Mimir does it: whether they have series is not looked at.
            Owners::LABEL => found.extend([mark.0.to_string()]),
            Owners::ORIGINAL => found.extend(snapshot.label_values(Owners::LABEL, &own, range)?),
            _ => found.extend(snapshot.label_values(name, &own, range)?),
        }
    }
    Ok(found)
}

/// Of families that several tenants have, what each distinct one says.
pub(crate) fn metadata(members: &[Member]) -> Vec<MetricMetadata> {
    let mut found: Vec<MetricMetadata> = members.iter().flat_map(|member| member.snapshot.metadata()).collect();
    found.sort_by(|left, right| left.name.cmp(&right.name));
    found.dedup();
    found
}

pub(crate) fn exemplars(members: &[Member], matchers: &[Matcher], range: TimeRange) -> Result<Vec<(Labels, Vec<Exemplar>)>> {
    let mut found = Vec::new();
    for Member { mark, snapshot } in members {
        if let Some(own) = matchers_of(mark, matchers)? {
            found.extend(snapshot.exemplars(&own, range)?.into_iter().map(|(labels, exemplars)| (mark.labels(&labels), exemplars)));
        }
    }
    found.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(found)
}

pub(crate) fn scan(members: &[Member], table: Table, request: &ScanRequest) -> Result<Vec<ScanPart>> {
    let mut found = Vec::new();
    for Member { mark, snapshot } in members {
        let parts = snapshot.scan(table, &mark.request(table, request))?;
        found.extend(parts.into_iter().map(|part| part.of(mark, table)));
    }
    Ok(found)
}

/// Places of one tenant, read again.
pub(crate) fn again(mark: &Mark, places: Vec<Place>, request: &ScanRequest) -> Result<Vec<ScanPart>> {
    let Some(table) = places.first().map(Place::table) else { return Ok(Vec::new()) };
    let parts = plan::again(places, &mark.request(table, request))?;
    Ok(parts.into_iter().map(|part| part.of(mark, table)).collect())
}

pub(crate) fn attribute_keys(members: &[Member], table: Table, range: &TimeRange) -> Result<Option<BTreeSet<String>>> {
    let mut found = BTreeSet::new();
    for member in members {
        let Some(keys) = member.snapshot.attribute_keys(table, range)? else { return Ok(None) };
        found.extend(keys);
    }
    Ok(Some(found))
}

/// Contract as that of `Snapshot::services`.
pub(crate) fn services(members: &[Member], table: Table, check: &mut dyn FnMut() -> Result<()>) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for member in members {
        found.append(&mut member.snapshot.services(table, check)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_name_their_tenant() {
        let mark = Mark(Tenant::new("red").unwrap());
        for (json, want) in [
            ("", r#"{"__tenant_id__":"red"}"#),
            ("{}", r#"{"__tenant_id__":"red"}"#),
            ("damaged", r#"{"__tenant_id__":"red"}"#),
            (r#"{"a":1}"#, r#"{"__tenant_id__":"red","a":1}"#),
            (r#"{"__tenant_id__":"mine"}"#, r#"{"__tenant_id__":"red","original___tenant_id__":"mine"}"#),
            (r#"{"a":"\"__tenant_id__\":"}"#, r#"{"__tenant_id__":"red","a":"\"__tenant_id__\":"}"#),
        ] {
            assert_eq!(mark.resource(json), want, "{json}");
        }
    }

    #[test]
    fn matchers_choose_the_tenant_and_reach_what_its_label_was() {
        let mark = Mark(Tenant::new("red").unwrap());
        let original = [Matcher::equal(Owners::LABEL, "red"), Matcher::equal(Owners::ORIGINAL, "mine"), Matcher::equal("a", "b")];
        assert_eq!(matchers_of(&mark, &original).unwrap(), Some(vec![Matcher::equal(Owners::LABEL, "mine"), Matcher::equal("a", "b")]));
        assert_eq!(matchers_of(&mark, &[Matcher::equal(Owners::LABEL, "blue")]).unwrap(), None);
        let sets = [vec![Matcher::equal(Owners::LABEL, "blue")], vec![Matcher::equal("a", "b")]];
        assert_eq!(sets_of(&mark, &sets).unwrap(), Some(vec![vec![Matcher::equal("a", "b")]]));
        assert_eq!(sets_of(&mark, &sets[..1]).unwrap(), None);
        assert_eq!(sets_of(&mark, &[]).unwrap(), Some(Vec::new()));
    }
}
