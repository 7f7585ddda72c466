-- The first HER2-directed dose comes soon after diagnosis.
-- denominator: index tumours, HER2-positive, M0, treated with a HER2-directed drug in curative setting.
with first_doses as (
    select
        episode_key,
        min(first_dose_date) as first_her2_date
    from fct_drug_spans
    where setting = 'curative' and is_her2
    group by episode_key
),

judged as (
    select
        t.*,
        f.first_her2_date
    from fct_tumours as t
    left join first_doses as f on t.episode_key = f.episode_key
    where t.is_index
)

select
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    first_her2_date as decision_date,
    diagnosis_date + $window_days as due_date,
    diagnosis_date as clock_start,
    diagnosis_date as observed_from,
    diagnosis_date + $window_days as drugs_through,
    case
        when outside_early_her2 is not null then outside_early_her2
        when first_her2_date is null then 'not-treated'
    end as excluded,
    case when diagnosis_date is null then 'diagnosis-date-missing' end as missing_reason,
    ['tumours.diagnosis_date'] as missing,
    case when date_diff('day', diagnosis_date, first_her2_date) <= $window_days then 'in-time' end as met,
    ['start'] as lacking,
    'late' as failed,
    $window_days - date_diff('day', diagnosis_date, first_her2_date) as margin_days,
    case when excluded is null then to_json(struct_pack(
        diagnosis_date := diagnosis_date,
        first_her2_date := first_her2_date
    )) end as evidence
from judged
