//! Joins that pause.
//!
//! A question can be given up only where its plan gives its thread back. DataFusion's leaves do so; a join that makes billions of
//! rows out of a batch, which an aggregation swallows, reads no leaf meanwhile.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::unnest::UnnestExec;

/// Puts a pause behind whatever makes many batches of one.
#[derive(Debug)]
pub(crate) struct Pauses;

impl PhysicalOptimizerRule for Pauses {
    fn name(&self) -> &str {
        "pauses"
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let pause = |plan: Arc<dyn ExecutionPlan>| match multiplies(plan.as_ref()) {
            true => Ok(Transformed::yes(Arc::new(CooperativeExec::new(plan)) as _)),
            false => Ok(Transformed::no(plan)),
        };
        plan.transform_up(pause).map(|plan| plan.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Joins of whatever kind have two inputs. Unions have as well, for which a pause costs next to nothing.
fn multiplies(plan: &dyn ExecutionPlan) -> bool {
    plan.children().len() > 1 || plan.is::<UnnestExec>()
}
